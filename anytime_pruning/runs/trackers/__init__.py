"""Define the trackers, which report the numbers of a run to services outside of the run's own files.

A tracker is a class (settings, out_dir, samples) with the methods `log(values, step)` and `close(failed)`. Each tracker
is one module, which is imported here so that the tracker is registered. The package that a tracker needs is imported
only when the tracker is made. A failing tracker never makes its run fail, and a run has the same numbers with and
without a tracker. This package imports from `results`, `settings` and `foundation`. It must never change a run.
"""

from anytime_pruning.runs.trackers import none, tensorboard, wandb
from anytime_pruning.runs.trackers.tracking import Tracker, Tracking

__all__ = ["Tracker", "Tracking", "none", "tensorboard", "wandb"]
