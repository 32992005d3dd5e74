"""Remove the channels of a trained network that are zero for every image, so that what is left is small and dense."""

import copy
from collections.abc import Callable, Collection, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from anytime_pruning.foundation.errors import DataError, SettingError, first_line
from anytime_pruning.foundation.packages import naming_missing_package
from anytime_pruning.pruning.filter_parameters import BATCH_NORMS
from anytime_pruning.pruning.prunable.rules import CONVOLUTIONS, LINEAR, is_of_kind

# Share of the largest logit by which logits may differ, because sums of fewer numbers are rounded otherwise.
TOLERANCE = 1e-5
N_IMAGES = 4


def make_compact(model: nn.Module, image_shape: tuple[int, int, int]) -> nn.Module:
    """Return a smaller copy of a network, without the channels that removed filters have left empty.

    The library Torch-Pruning finds which layers share a channel. A channel is removed if every layer that writes to
    it has only zeros there, biases and batch norms included. Channels are kept where the library misreads how layers
    share them, as at a shortcut that adds channels of zeros.

    Args:
        model: the network in eval mode, on the CPU.
        image_shape: (channels, height, width).

    Returns:
        A network with the same logits up to 1e-5 of the largest one, in eval mode. Weights that are computed, as by
        spectral norm, become plain weights.

    Raises:
        SettingError: Torch-Pruning is not installed, or no channel is empty.
        DataError: no empty channel can be removed without a change of the logits, or Torch-Pruning cannot follow the
            network.
    """
    with naming_missing_package():
        import torch_pruning  # noqa: F401
    images = torch.rand(N_IMAGES, *image_shape, generator=torch.Generator().manual_seed(0))
    model = _with_plain_weights(model, images)
    layers = [name for name, _, _ in _empty_channels(model, images)]
    if not layers:
        raise SettingError(
            "compact: no channel of this network is empty; allowed: networks of runs with selection filter, which "
            "removes whole filters"
        )
    if smaller := _without(model, images, layers):
        return smaller
    smaller = model
    for layer in layers:
        smaller = _without(smaller, images, [layer]) or smaller
    if smaller is model:
        raise DataError("compact: no empty channel of this network can be removed without a change of its logits")
    return smaller


def _without(model: nn.Module, images: Tensor, layers: Collection[str]) -> nn.Module | None:
    """Return a copy without the empty channels of some layers, or None if it would compute something else."""
    expected = _logits(model, images)
    smaller = copy.deepcopy(model)
    groups = list(_empty_channels(smaller, images))
    try:
        for layer, group, channels in groups:
            if layer in layers:
                group.prune(channels)
        found = _logits(smaller, images)
    except (RuntimeError, ValueError, IndexError):
        return None  # layers of a misread group no longer fit together
    margin = TOLERANCE * float(expected.abs().amax())
    return smaller if found.shape == expected.shape and torch.allclose(found, expected, 0, margin) else None


@torch.no_grad()
def _logits(model: nn.Module, images: Tensor) -> Tensor:
    """Return logits; what layers keep of this forward pass has no gradient, and so can be copied with the network."""
    logits: Tensor = model(images)
    return logits


def _with_plain_weights(model: nn.Module, images: Tensor) -> nn.Module:
    """Return a copy in which weights that are computed from other parameters are parameters, which can lose channels.

    A network without such weights is returned itself.
    """
    if not any(parametrize.is_parametrized(layer) or any(_older_forms(layer)) for layer in model.modules()):
        return model
    _logits(model, images)
    plain = copy.deepcopy(model)
    for layer in list(plain.modules()):
        if parametrize.is_parametrized(layer):
            _remove_parametrizations(layer)
        for remove, name in list(_older_forms(layer)):
            remove(layer, name)
    return plain


@torch.no_grad()
def _remove_parametrizations(layer: Any) -> None:
    """Make the computed tensors of a layer parameters, as torch does; torch would break what the layer is a copy of.

    Its own function changes the class of the layer, which copies of a layer share.
    """
    tensors = {name: getattr(layer, name).clone() for name in layer.parametrizations}
    del layer.parametrizations
    layer.__class__ = type(layer).__bases__[0]
    for name, tensor in tensors.items():
        layer.register_parameter(name, nn.Parameter(tensor))


def _older_forms(layer: nn.Module) -> Iterator[tuple[Callable[[nn.Module, str], object], str]]:
    """Yield for each tensor that a hook computes the function of torch that makes it a parameter, and its name."""
    for hook in layer._forward_pre_hooks.values():
        if isinstance(hook, SpectralNorm):
            yield remove_spectral_norm, hook.name
        elif isinstance(hook, WeightNorm):
            yield remove_weight_norm, hook.name
        elif isinstance(hook, prune.BasePruningMethod):
            yield prune.remove, hook._tensor_name


def _empty_channels(model: nn.Module, images: Tensor) -> Iterator[tuple[str, Any, list[int]]]:
    """Yield the first layer of each group of layers that share channels, the group, and its empty channels.

    A group keeps at least one channel. Layers whose channels nobody reads give the logits, and are left out.
    """
    from torch_pruning import DependencyGraph

    try:
        with torch.enable_grad():  # the library follows the gradient back through the network
            graph = DependencyGraph().build_dependency(model, images[:1], verbose=False)
        groups = list(graph.get_all_groups())
    except Exception as error:  # of the library, which does not know every kind of network
        raise DataError(f"compact: Torch-Pruning cannot follow this network: {first_line(error)}") from None
    names = {layer: name for name, layer in model.named_modules()}
    for group in groups:
        first = group[0].dep.target.module
        if not any(graph.is_in_channel_pruning_fn(item.dep.handler) for item in group.items):
            continue
        writers = [item for item in group.items if graph.is_out_channel_pruning_fn(item.dep.handler)]
        used = {root for item in writers for root in _used_by(item)}
        n_channels = graph.get_out_channels(first)
        empty = [channel for channel in range(n_channels) if channel not in used]
        if empty := empty[: n_channels - 1]:
            yield names[first], group, empty


def _used_by(item: Any) -> Iterator[int]:
    """Yield the channels of the group's first layer to which one of its layers may write something else than zeros."""
    layer = item.dep.target.module
    if is_of_kind(layer, (*CONVOLUTIONS, *LINEAR, *BATCH_NORMS)):
        tensors = [tensor for tensor in (layer.weight, layer.bias) if tensor is not None]
        writes = [(tensor != 0).flatten(1).any(1) if tensor.dim() > 1 else tensor != 0 for tensor in tensors]
        yield from (root for root, c in zip(item.root_idxs, item.idxs) if any(bool(written[c]) for written in writes))
    elif isinstance(layer, nn.Parameter) or next(layer.parameters(), None) is not None:
        yield from item.root_idxs  # a layer of another kind, of which nothing is known here
