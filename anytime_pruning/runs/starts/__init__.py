"""Define the starts, which prepare a network for the beginning of a megabatch.

A start is a function (context: StartContext) -> None that may change the network and the momentum in place, before the
network is pruned for the megabatch. Each start is one module, which is imported here so that the start is registered.
This package imports from `training`, `pruning` and `foundation`. It must never decide when a start is called, which
`runs.loop` does.
"""

from anytime_pruning.runs.starts import warm
from anytime_pruning.runs.starts.base import StartContext

__all__ = ["StartContext", "warm"]
