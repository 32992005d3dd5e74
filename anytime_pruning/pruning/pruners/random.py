"""Scores at random: the control that every criterion must beat."""

from collections.abc import Iterable

import torch
from torch import Generator, Tensor, nn

from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.prunable import prunable_weights


@register("pruner", "random")
def score_random(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], generator: Generator) -> dict[str, Tensor]:
    """Draw scores uniformly in [0, 1).

    The draws are made on the CPU, so that every device gets the same scores. No data is read.
    """
    return {
        name: torch.rand(weight.shape, generator=generator).to(weight.device)
        for name, weight in prunable_weights(model).items()
    }
