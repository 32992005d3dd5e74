"""Random: the control that every criterion must beat."""

from collections.abc import Iterable

import torch
from torch import Generator, Tensor, nn

from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.prunable import prunable_weights


@register("pruner", "random")
def score_random(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], generator: Generator) -> dict[str, Tensor]:
    """Uniform in [0, 1), drawn on the CPU so that every device gets the same scores; reads no data."""
    return {
        name: torch.rand(weight.shape, generator=generator).to(weight.device)
        for name, weight in prunable_weights(model).items()
    }
