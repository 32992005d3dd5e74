"""Keep pruned weights at exactly zero."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from anytime_pruning.foundation.errors import SettingError, name_some, show
from anytime_pruning.pruning.filter_parameters import with_filter_parameters


class MaskEnforcer:
    """Sets the pruned weights of a network to exactly zero whenever `enforce` is called, as after each optimiser step.

    The masks still apply after the network was converted or moved, and after its tensors were replaced, as by
    `load_state_dict(assign=True)`. If the masks remove whole filters, the biases and batch norms that
    `find_filter_parameters` found for these filters are set to zero as well.

    Args:
        model: the network whose weights are masked.
        masks: bool masks by parameter name; True is kept.

    Raises:
        SettingError: a mask belongs to no parameter of the network, or has another shape.
    """

    def __init__(self, model: nn.Module, masks: Mapping[str, Tensor]):
        self._model, self._names = model, list(masks)
        bound = _checked(model, masks)
        self._places = _places_of(model, [name for name, _ in bound])
        self._factors = [_like(weight, mask) for weight, (_, mask) in zip(self._weights(), bound)]

    def masks(self) -> dict[str, Tensor]:
        """Return copies of the masks by parameter name."""
        return {name: factor.bool() for name, factor in zip(self._names, self._factors)}

    def update(self, masks: Mapping[str, Tensor]) -> bool:
        """Replace the masks in place by other masks of the same weights.

        Returns:
            True if the masks were replaced; False, with nothing changed, if the new masks belong to other weights.
        """
        if masks.keys() != set(self._names):
            return False
        # Masks from a checkpoint come in another order than those of a pruning.
        ordered = {name: masks[name] for name in self._names}
        for factor, (_, mask) in zip(self._factors, with_filter_parameters(self._model, ordered)):
            factor.copy_(mask)
        return True

    @torch.no_grad()
    def enforce(self) -> None:
        """Set the weights that the masks do not keep to exactly zero, in place; without masks, nothing changes."""
        weights = self._weights()
        if not weights:
            return
        try:
            torch._foreach_mul_(weights, self._factors)
        except (RuntimeError, TypeError):
            # The network was moved to another device or got a type into which the factors cannot be cast. A look at
            # each weight beforehand would cost more than all else that every step does here in Python.
            self._factors = [_like(weight, factor) for weight, factor in zip(weights, self._factors)]
            torch._foreach_mul_(weights, self._factors)

    def _weights(self) -> list[Any]:
        """Return the present weights, which are other objects where somebody has replaced them."""
        # A scripted layer holds its parameters in a mapping that has no `get`.
        return [layer._parameters[name] if name in layer._parameters else None for layer, name in self._places]  # noqa: SIM401


def _checked(model: nn.Module, masks: Mapping[str, Tensor]) -> list[tuple[str, Tensor]]:
    """Return all masks by parameter name, those of filters included, if they fit the network."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for name, mask in masks.items():
        if name not in parameters:
            raise SettingError(
                f"masks: {show(name)} is not allowed: the network has no parameter of this name; allowed: "
                f"{name_some(list(parameters))}"
            )
        expected = list(parameters[name].shape)
        found = list(mask.shape) if isinstance(mask, Tensor) else type(mask).__name__
        if found != expected:
            raise SettingError(f"masks: {name} is {found}, but should be a bool tensor of shape {expected}")
    return list(with_filter_parameters(model, masks))


def _places_of(model: nn.Module, names: Sequence[str]) -> list[tuple[nn.Module, str]]:
    """Return for each parameter the layer that holds it, and its name there."""
    layers = dict(model.named_modules(remove_duplicate=False))
    paths = [name.rpartition(".") for name in names]
    return [(layers[path], last) for path, _, last in paths]


def _like(weight: Tensor | None, mask: Tensor) -> Tensor:
    """Return a new tensor of ones where a mask keeps and zeros elsewhere, of a weight's type, device and strides."""
    if weight is None or weight.shape != mask.shape:
        raise SettingError(
            "masks: a masked parameter of the network was removed or has another shape than before; bind the masks anew"
        )
    return torch.empty_like(weight, requires_grad=False).copy_(mask)


def apply_masks(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set the weights that masks do not keep to exactly zero, once, in place.

    Args:
        model: the network.
        masks: bool masks by parameter name; True is kept.
    """
    MaskEnforcer(model, masks).enforce()
