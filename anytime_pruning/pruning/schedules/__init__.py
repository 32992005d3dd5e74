"""Define the density schedules, which say how many weights are kept at each megabatch.

A schedule is a subclass of `base.Schedule`, which is registered as a class under the kind `method`. Each schedule is
one module, which is imported here so that the schedule is registered. This package imports only from `foundation` and
never loads torch, because planning asks for densities. The choice of the weights that are kept must never be here.
"""

from anytime_pruning.pruning.schedules import app, app_cubic, dense, dense_small, offline, osp, prune_last
from anytime_pruning.pruning.schedules.base import Schedule, make_schedule

__all__ = ["Schedule", "app", "app_cubic", "dense", "dense_small", "make_schedule", "offline", "osp", "prune_last"]
