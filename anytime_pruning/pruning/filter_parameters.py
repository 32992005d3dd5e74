"""Find the parameters that belong to the filters of a network, so that a removed filter leaves nothing behind.

A filter without weights still adds its bias, and the batch norm after it still adds its own. These numbers go to zero
with the filter, so that its channel is zero for every image and a smaller network can do without it.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from anytime_pruning.machine.preservation import preserved
from anytime_pruning.pruning.prunable import prunable_weights

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
# Kept as an attribute of the network, so that everything that enforces masks finds it. Copies of the network keep it.
_FOUND = "filter_parameters"


def find_filter_parameters(model: nn.Module, image_shape: tuple[int, int, int]) -> dict[str, list[str]]:
    """Find the bias of each prunable layer and the parameters of the batch norm that follows it, and remember them.

    From now on masks that remove a whole filter also set these parameters to zero in its place. One image passes
    through the network to see which batch norm follows which layer; the network stays as it is.

    Args:
        model: the network, with its prunable weights chosen.
        image_shape: (channels, height, width).

    Returns:
        Names of parameters by the name of the prunable weight; each has one number for each filter of the weight.
    """
    parameters = dict(model.named_parameters())
    norms = _following_norms(model, image_shape)
    found: dict[str, list[str]] = {}
    for name, weight in prunable_weights(model).items():
        layer = name.rpartition(".")[0]
        candidates = [
            f"{layer}.bias",
            *(f"{norm}.{kind}" for norm in norms.get(layer, ()) for kind in ("weight", "bias")),
        ]
        found[name] = [other for other in candidates if other in parameters and len(parameters[other]) == len(weight)]
    setattr(model, _FOUND, found)
    return found


def with_filter_parameters(model: nn.Module, masks: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield all masks by parameter name, and after them the masks of the parameters that belong to the filters.

    Args:
        model: the network; if `find_filter_parameters` has not seen it, only the given masks are yielded.
        masks: bool masks of prunable weights; True is kept.
    """
    yield from masks.items()
    found: dict[str, list[str]] = vars(model).get(_FOUND, {})
    for name, mask in masks.items():
        has_weights = mask.flatten(1).any(1) if found.get(name) else None
        yield from ((other, has_weights) for other in found.get(name, ()) if has_weights is not None)


def _following_norms(model: nn.Module, image_shape: tuple[int, int, int]) -> dict[str, list[str]]:
    """Return the names of the batch norms that get nothing but the output of one layer, by the layer's name."""
    outputs: dict[int, tuple[str, Tensor]] = {}
    sources: dict[str, set[str | None]] = {}
    parameter = next(model.parameters())
    with preserved(model), torch.no_grad():
        model.eval()
        for where, layer in model.named_modules():
            if isinstance(layer, torch.jit.ScriptModule):
                continue  # Hooks of a scripted module are not called.
            if isinstance(layer, BATCH_NORMS):
                layer.register_forward_pre_hook(partial(_note_source, where, outputs, sources))
            else:
                layer.register_forward_hook(partial(_note_output, where, outputs))
        model(torch.zeros(1, *image_shape, dtype=parameter.dtype, device=parameter.device))
    following: dict[str, list[str]] = {}
    for norm, layers in sources.items():
        source = next(iter(layers))
        if len(layers) == 1 and source is not None:
            following.setdefault(source, []).append(norm)
    return following


def _note_output(
    where: str, outputs: dict[int, tuple[str, Tensor]], layer: nn.Module, inputs: tuple[Any, ...], output: object
) -> None:
    # The tensor is kept, so that no later one gets its id. A container returns the tensor of its last layer, which has
    # its name already.
    if isinstance(output, Tensor):
        outputs.setdefault(id(output), (where, output))


def _note_source(
    where: str,
    outputs: Mapping[int, tuple[str, Tensor]],
    sources: dict[str, set[str | None]],
    norm: nn.Module,
    inputs: tuple[Any, ...],
) -> None:
    source = outputs.get(id(inputs[0])) if inputs else None
    sources.setdefault(where, set()).add(source[0] if source else None)
