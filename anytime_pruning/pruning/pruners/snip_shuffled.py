"""Score weights by SNIP and shuffle the scores within each layer, to see whether SNIP tells single weights apart."""

from collections.abc import Iterable

import torch
from torch import Generator, Tensor, nn

from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.pruning.pruners.snip import score_snip


@register("pruner", "snip_shuffled")
def score_snip_shuffled(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], generator: Generator
) -> dict[str, Tensor]:
    """Score by SNIP, and give the scores of each layer to other weights of the layer that are not zero, at random.

    Each layer therefore keeps as many weights as by SNIP, but random ones among those that are left.

    Source: the sanity checks of Frankle, Dziugaite, Roy, Carbin (arXiv 2009.08576) and of Su and others (arXiv
    2009.11094).
    """
    weights = prunable_weights(model)
    scores = score_snip(model, batches, generator)
    return {name: _shuffle(score, weights[name] != 0, generator) for name, score in scores.items()}


def _shuffle(score: Tensor, places: Tensor, generator: Generator) -> Tensor:
    """Return a score whose values at some places changed places among themselves."""
    shuffled, where = score.clone(), places.nonzero(as_tuple=True)
    order = torch.randperm(len(where[0]), generator=generator).to(score.device)
    shuffled[where] = score[where][order]
    return shuffled
