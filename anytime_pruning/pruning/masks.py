"""Defines masks and counts with them: how many weights masks keep, and how many weights of a network are not zero."""

from collections.abc import Mapping

from torch import Tensor, nn

from anytime_pruning.pruning.prunable import prunable_weights

# Bool tensors by parameter name, in the shapes of the weights; True is kept. No masks at all: nothing is pruned.
Masks = dict[str, Tensor]


def count_masked(masks: Mapping[str, Tensor], n_prunable: int) -> int:
    """Count the weights that masks keep.

    Args:
        masks: bool masks; an empty mapping keeps every weight.
        n_prunable: number of prunable weights of the network.
    """
    return sum(int(mask.sum()) for mask in masks.values()) if masks else n_prunable


def count_kept(model: nn.Module) -> dict[str, tuple[int, int]]:
    """Count, in the network itself, the weights that are not zero.

    Returns:
        (not zero, total) by prunable layer.
    """
    return {name: (int(weight.count_nonzero()), weight.numel()) for name, weight in prunable_weights(model).items()}
