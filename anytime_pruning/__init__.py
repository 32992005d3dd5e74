"""Anytime Progressive Pruning: prune a network while its training data arrives as a stream of megabatches.

The public calls are loaded when first used, so that planning and drawing, which need no torch, do not wait for it.
"""

from importlib import import_module

__version__ = "0.1.0"

# Raised by one whenever a change alters the numbers of any run: it is part of every run's digest, so stored results of
# an older version are never taken for current ones. The golden test fails when numbers change and this did not.
RESULTS_VERSION = 2

_PUBLIC = {
    "build_model": "anytime_pruning.models",
    "load_network": "anytime_pruning.export.network",
    "register": "anytime_pruning.foundation.registry",
    "run_stream": "anytime_pruning.runs.job",
    "score": "anytime_pruning.pruning.pruners",
    "select_masks": "anytime_pruning.pruning.selection",
}
__all__ = ["RESULTS_VERSION", "__version__", *sorted(_PUBLIC)]


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
