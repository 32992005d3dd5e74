"""Magnitude: large weights stay."""

from collections.abc import Iterable

from torch import Generator, Tensor, nn

from anytime_pruning.masks import prunable_weights
from anytime_pruning.registry import register


@register("pruner", "magnitude")
def score_magnitude(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], generator: Generator
) -> dict[str, Tensor]:
    """|w|; reads no data."""
    return {name: weight.detach().abs() for name, weight in prunable_weights(model).items()}
