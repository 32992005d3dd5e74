"""Import one file for each place to which a run may report, so that each tracker is registered.

A tracker is a class (settings, out_dir, samples) with `log(values, step)` and `close(failed)`. The package that a
tracker needs is imported when the tracker is made. A run never fails because its tracker does, and its numbers are the
same with and without.
"""

from anytime_pruning.runs.trackers import none, tensorboard, wandb
from anytime_pruning.runs.trackers.tracking import Tracker, Tracking

__all__ = ["Tracker", "Tracking", "none", "tensorboard", "wandb"]
