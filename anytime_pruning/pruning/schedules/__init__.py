"""Schedules: a file for each density schedule, imported here so that each is registered.

A schedule is a frozen dataclass with the members of `base.Schedule`, registered as a class under the kind `method`.
This package imports from `foundation` only, and it is torch-free, because planning asks for densities. Which weights
stay at a density is never decided here.
"""

from anytime_pruning.pruning.schedules import app, app_cubic, dense, osp
from anytime_pruning.pruning.schedules.base import Schedule, make_schedule

__all__ = ["Schedule", "app", "app_cubic", "dense", "make_schedule", "osp"]
