"""Define the starts, which prepare a network for the beginning of a megabatch.

A start is a function (context: StartContext) -> None that may change the network and the momentum in place, before the
network is pruned for the megabatch. Each start is one module, which is imported here so that the start is registered.
This package imports from `training`, `pruning`, `models`, `settings`, `machine` and `foundation`. It must never decide
when a start is called, which `runs.megabatch.preparation` does.
"""

from anytime_pruning.runs.starts import cold, dash, rewind, shrink_perturb, warm
from anytime_pruning.runs.starts.base import StartContext, goes_back, needs_origin

__all__ = ["StartContext", "cold", "dash", "goes_back", "needs_origin", "rewind", "shrink_perturb", "warm"]
