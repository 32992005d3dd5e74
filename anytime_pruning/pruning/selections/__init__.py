"""Define the selections, which choose the weights to keep by their scores.

A selection is an object with the two methods of `base.Selection`. Each selection is one module, which is imported here
so that the selection is registered. This package imports only from `foundation`. Scoring and densities must never be
here.
"""

from anytime_pruning.pruning.selections import unstructured
from anytime_pruning.pruning.selections.base import Selection

__all__ = ["Selection", "unstructured"]
