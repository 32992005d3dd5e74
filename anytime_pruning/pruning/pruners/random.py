"""Score weights at random, as a control that every other criterion should beat."""

from collections.abc import Iterable

import torch
from torch import Generator, Tensor, nn

from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.prunable import prunable_weights


@register("pruner", "random")
def score_random(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], generator: Generator) -> dict[str, Tensor]:
    """Draw scores uniformly in [0, 1).

    The scores are drawn on the CPU, so that they are the same on every device. No data is read.
    """
    return {
        name: torch.rand(weight.shape, generator=generator).to(weight.device)
        for name, weight in prunable_weights(model).items()
    }
