"""Define masks, count the weights that masks keep, and count the weights of a network that are not zero."""

from collections.abc import Mapping

from torch import Tensor, nn

from anytime_pruning.pruning.prunable import prunable_weights

# Masks are bool tensors by parameter name, in the shapes of the weights; True means that a weight is kept. An empty
# mapping means that nothing is pruned.
Masks = dict[str, Tensor]


def count_masked(masks: Mapping[str, Tensor], n_prunable: int) -> int:
    """Count the weights that masks keep.

    Args:
        masks: bool masks; an empty mapping keeps every weight.
        n_prunable: number of prunable weights of the network.
    """
    return sum(int(mask.sum()) for mask in masks.values()) if masks else n_prunable


def count_kept(model: nn.Module) -> dict[str, tuple[int, int]]:
    """Count the weights that are not zero, in the network itself and not in its masks.

    Returns:
        (number of weights that are not zero, number of all weights) by the name of the prunable layer.
    """
    return {name: (int(weight.count_nonzero()), weight.numel()) for name, weight in prunable_weights(model).items()}
