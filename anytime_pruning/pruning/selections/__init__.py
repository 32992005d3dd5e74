"""Define the selections, which choose the weights to keep by their scores.

A selection is an object of a subclass of `base.Selection`. Each selection is one module, which is imported here
so that the selection is registered. This package imports only from `foundation`. Scoring and densities must never be
here.
"""

from anytime_pruning.pruning.selections import filter, n_m, unstructured
from anytime_pruning.pruning.selections.base import Selection, make_selection

__all__ = ["Selection", "filter", "make_selection", "n_m", "unstructured"]
