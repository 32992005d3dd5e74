"""Import one file for each way in which a megabatch begins, so that each start is registered.

A start is a function (context: StartContext) -> None that may change the network and the momentum in place, before the
network is pruned for the megabatch. This package imports from `training`, `pruning` and `foundation`. When a start is
called is decided in `runs.loop`.
"""

from anytime_pruning.runs.starts import warm
from anytime_pruning.runs.starts.base import StartContext

__all__ = ["StartContext", "warm"]
