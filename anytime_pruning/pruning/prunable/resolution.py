"""Find the parameter behind the weight of a layer, also where the weight is computed from another parameter."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm

from anytime_pruning.foundation.errors import SettingError

# These older forms compute a weight before each forward pass as a product of `<name>_orig`, so zeros stay zeros.
_KEEPS_ZEROS = (BasePruningMethod, SpectralNorm)


def find_parameter(layer: nn.Module, name: str, where: str) -> tuple[str, nn.Parameter] | None:
    """Find the parameter whose zeros are zeros of a layer's weight.

    Args:
        layer: one module of a network.
        name: name of the weight in the layer, such as `weight`.
        where: name of the layer in the network, for messages.

    Returns:
        The name of the parameter in the layer, and the parameter; None for a weight that is constant, such as the
        filter of a fixed blur in a buffer.

    Raises:
        SettingError: the weight has no values yet, or it is computed in a way in which zeros do not stay zeros.
    """
    if parametrize.is_parametrized(layer, name):
        return _find_original(layer, name, where)
    parameters = dict(layer.named_parameters(recurse=False))
    parameter = parameters.get(name)
    if parameter is not None:
        if is_lazy(parameter):
            raise SettingError(
                f"prunable: {where} is lazy and has no weights yet; pass an image through the network first"
            )
        return name, parameter
    original = parameters.get(f"{name}_orig")
    if original is not None and any(isinstance(hook, _KEEPS_ZEROS) for hook in layer._forward_pre_hooks.values()):
        return f"{name}_orig", original
    if f"{name}_v" in parameters or original is not None:
        raise SettingError(_refusal(where, name, "an older form of weight norm, or a hook"))
    return None


def _find_original(layer: nn.Module, name: str, where: str) -> tuple[str, nn.Parameter]:
    """Return the one tensor that parametrisations take, if zeros in this tensor are zeros in the weight."""
    chain: parametrize.ParametrizationList = layer.parametrizations[name]  # type: ignore[index,assignment]
    kinds = ", ".join(type(step).__name__.lstrip("_") for step in chain)
    original = chain._parameters.get("original")
    if original is None or not _keeps_zeros(layer, name):
        raise SettingError(_refusal(where, name, kinds))
    return f"parametrizations.{name}.original", original


def _refusal(where: str, name: str, how: str) -> str:
    return (
        f"prunable: {where} is not allowed: its {name} is computed by {how}, so zeros in a parameter are not zeros in "
        f"the {name}, or it is not finite when a filter is empty; remove this from the layer, as "
        "torch.nn.utils.parametrize.remove_parametrizations does, or name the layer in the setting keep"
    )


@torch.no_grad()
def _keeps_zeros(layer: nn.Module, name: str) -> bool:
    """Return whether zeros of the original are zeros of the weight, also in a filter of zeros; tried on a copy."""
    # A copy of the whole layer would need copies of tensors that the last forward pass left there.
    parametrizations: Any = layer.parametrizations
    chain = copy.deepcopy(parametrizations[name]).eval()
    original: Tensor = chain.original
    zeros = torch.zeros(original.shape, dtype=torch.bool, device=original.device)
    zeros.view(-1)[::3] = True
    zeros[0] = True
    original[zeros] = 0
    weight: Tensor = chain()
    if weight.shape != original.shape or not torch.isfinite(weight).all():
        return False
    # A filter of zeros must leave the other weights alive, and so must single zeros.
    return bool((weight[zeros] == 0).all()) and bool(weight[~zeros].any() or zeros.all())
