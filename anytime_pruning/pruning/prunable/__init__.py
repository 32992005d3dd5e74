"""Decide which weights of a network may be pruned; no other package decides this.

`rules.py` names the kinds of layers, `resolution.py` finds the parameter behind the weight of a layer, and `choice.py`
combines both with the layers that are left alone. `calling.py` tells in which order a network calls its layers, by
which the classifier is known. This package imports from `machine` and `foundation` only.
"""

from anytime_pruning.pruning.prunable.calling import UnfitOutputError, layers_as_called
from anytime_pruning.pruning.prunable.choice import (
    DEFAULT_KEEP,
    DEFAULT_RULES,
    count_prunable,
    pin_prunable,
    prunable_weights,
    set_prunable,
    weighted_layers,
)

__all__ = [
    "DEFAULT_KEEP",
    "DEFAULT_RULES",
    "UnfitOutputError",
    "count_prunable",
    "layers_as_called",
    "pin_prunable",
    "prunable_weights",
    "set_prunable",
    "weighted_layers",
]
