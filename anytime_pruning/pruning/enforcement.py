"""Keep pruned weights at exactly zero."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from anytime_pruning.pruning.filter_parameters import with_filter_parameters


class MaskEnforcer:
    """Binds masks to a network's weights once, so that no step has to look up weights by name.

    Where whole filters are removed, `find_filter_parameters` has named the biases and batch norms that go with them.

    Args:
        model: the network whose weights are masked.
        masks: bool masks by parameter name; True is kept.
    """

    def __init__(self, model: nn.Module, masks: Mapping[str, Tensor]):
        parameters = dict(model.named_parameters(remove_duplicate=False))
        bound = [(parameters[name].data, mask) for name, mask in with_filter_parameters(model, masks)]
        self._model, self._names = model, list(masks)
        self._weights = [weight for weight, _ in bound]
        # With the strides of its weight, so that one kernel multiplies all pairs whatever the memory format.
        self._factors = [torch.empty_like(weight).copy_(mask) for weight, mask in bound]

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

    def enforce(self) -> None:
        """Set the weights that the masks do not keep to exactly zero, in place; without masks, nothing changes."""
        if self._weights:
            torch._foreach_mul_(self._weights, self._factors)


def apply_masks(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set the weights that masks do not keep to exactly zero, once, in place.

    Args:
        model: the network.
        masks: bool masks by parameter name; True is kept.
    """
    MaskEnforcer(model, masks).enforce()
