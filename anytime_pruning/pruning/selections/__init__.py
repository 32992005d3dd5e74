"""Selections: a file for each way to choose weights by their scores, imported here so that each is registered.

A selection is an object with the two methods of `base.Selection`. This package imports from `foundation` only. What a
weight's score is, and how many weights are to stay, is never decided here.
"""

from anytime_pruning.pruning.selections import unstructured
from anytime_pruning.pruning.selections.base import Selection

__all__ = ["Selection", "unstructured"]
