"""Pruners: a file for each scoring criterion, imported here so that each is registered.

A pruner is a function (model, batches, generator) -> {parameter name: score}; weights with higher scores are kept. It
may use the network freely, because `score` puts everything back. A pruner that wants to prune to a density in several
rounds, with new scores in each, says so with `in_rounds`.

This package imports from `pruning.prunable`, `stream` and `foundation`. Which weights follow from the scores is never
decided here.
"""

from anytime_pruning.pruning.pruners import grasp, magnitude, random, snip, synflow
from anytime_pruning.pruning.pruners.scoring import rounds_of, score

__all__ = ["grasp", "magnitude", "random", "rounds_of", "score", "snip", "synflow"]
