"""Adds a pruner that keeps small weights."""

from anytime_pruning import register
from anytime_pruning.pruning.prunable import prunable_weights


@register("pruner", "smallest")
def score_smallest(model, batches, generator):
    """Score each weight w by -|w|."""
    return {name: -weight.detach().abs() for name, weight in prunable_weights(model).items()}
