"""Keep pruned weights at exactly zero."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from anytime_pruning.pruning.prunable import prunable_weights


class MaskEnforcer:
    """Binds masks to a network's weights once, so that no step has to look up weights by name.

    Args:
        model: the network whose weights are masked.
        masks: bool masks by parameter name; True is kept.
    """

    def __init__(self, model: nn.Module, masks: Mapping[str, Tensor]):
        weights = prunable_weights(model)
        self._names = list(masks)
        self._weights = [weights[name].data for name in masks]
        self._factors = [mask.to(weights[name].dtype) for name, mask in masks.items()]

    def update(self, masks: Mapping[str, Tensor]) -> bool:
        """Replace the masks in place by other masks of the same weights.

        Returns:
            True if the masks were replaced; False, with nothing changed, if the new masks belong to other weights.
        """
        if list(masks) != self._names:
            return False
        for factor, mask in zip(self._factors, masks.values()):
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
