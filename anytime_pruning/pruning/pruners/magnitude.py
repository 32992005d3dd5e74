"""Score weights by magnitude, which keeps the largest weights."""

from collections.abc import Iterable

from torch import Generator, Tensor, nn

from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.prunable import prunable_weights


@register("pruner", "magnitude")
def score_magnitude(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], generator: Generator
) -> dict[str, Tensor]:
    """Score each weight w by |w|; no data is read."""
    return {name: weight.detach().abs() for name, weight in prunable_weights(model).items()}
