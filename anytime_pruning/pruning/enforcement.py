"""Keep pruned weights at zero."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from anytime_pruning.pruning.prunable import prunable_weights


class MaskEnforcer:
    """Masks bound to a network's weights, to be enforced after every optimiser step without a look-up."""

    def __init__(self, model: nn.Module, masks: Mapping[str, Tensor]):
        weights = prunable_weights(model)
        self._names = list(masks)
        self._weights = [weights[name].data for name in masks]
        self._factors = [mask.to(weights[name].dtype) for name, mask in masks.items()]

    def update(self, masks: Mapping[str, Tensor]) -> bool:
        """Take other masks of the same weights, in place; False, and nothing done, if these are of other weights."""
        if list(masks) != self._names:
            return False
        for factor, mask in zip(self._factors, masks.values()):
            factor.copy_(mask)
        return True

    def enforce(self) -> None:
        """Set the weights that the masks do not keep to exactly zero, in place. No masks, no change."""
        if self._weights:
            torch._foreach_mul_(self._weights, self._factors)


def apply_masks(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set the weights that the masks do not keep to exactly zero, once, in place."""
    MaskEnforcer(model, masks).enforce()
