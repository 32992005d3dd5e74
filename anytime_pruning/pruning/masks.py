"""Which weights stay: selection by score and density, applying masks, measuring the density of a network."""

from torch import Tensor, nn

from anytime_pruning.pruning.prunable import prunable_weights

Masks = dict[str, Tensor]


def count_kept(model: nn.Module) -> dict[str, tuple[int, int]]:
    """Weights that are not zero and all weights, (kept, total), by prunable layer: measured in the network itself."""
    return {name: (int(weight.count_nonzero()), weight.numel()) for name, weight in prunable_weights(model).items()}
