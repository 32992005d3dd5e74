"""Define the pruners, which are the criteria that score weights.

A pruner is a function (model, batches, generator) -> {parameter name: score}; weights with higher scores are kept. A
pruner may change the network, because `score` restores it afterwards. The decorator `in_rounds` marks a pruner that
prunes in several rounds, with new scores in each. Each pruner is one module, which is imported here so that the pruner
is registered.

This package imports from `pruning.prunable` and the rooms below `pruning`. The choice of weights by their scores must
never be here.
"""

from anytime_pruning.pruning.pruners import grasp, magnitude, random, snip, snip_shuffled, synflow
from anytime_pruning.pruning.pruners.scoring import check_informative, layers_without_score, rounds_of, score

__all__ = [
    "check_informative",
    "grasp",
    "layers_without_score",
    "magnitude",
    "random",
    "rounds_of",
    "score",
    "snip",
    "snip_shuffled",
    "synflow",
]
