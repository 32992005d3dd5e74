"""Prune a network step by step while its training data arrives as a stream of megabatches.

This file offers the public calls and holds the two version numbers. Everything else lives in the subpackages, which the
project calls rooms. pyproject.toml lists the rooms from top to bottom, and a room imports only from rooms below it.
This file must import no room when it is loaded, because planning and drawing must not wait for torch.
"""

from importlib import import_module

__version__ = "0.1.0"

# This version is part of every run's digest, so a stored result of another version is never mistaken for a current one.
# Raise the version by one with every change that alters the numbers of runs, unless a narrower version covers all of
# these runs (settings/versions.py). The golden test fails if the numbers of its runs changed and no version did, and
# tests/models/test_initialisation.py if fresh weights have another distribution.
RESULTS_VERSION = 2

# The module of each public call. `__init__.pyi` declares the same calls to type checkers.
_PUBLIC = {
    "MaskEnforcer": "anytime_pruning.pruning.enforcement",
    "build_model": "anytime_pruning.models",
    "load_network": "anytime_pruning.export.network",
    "make_compact": "anytime_pruning.export.compact",
    "register": "anytime_pruning.foundation.registry",
    "released_masks": "anytime_pruning.pruning.released_masks",
    "run_stream": "anytime_pruning.runs.job",
    "score": "anytime_pruning.pruning.pruners",
    "set_prunable": "anytime_pruning.pruning.prunable",
    "select_masks": "anytime_pruning.pruning.selections.unstructured",
}
__all__ = ["RESULTS_VERSION", "__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> object:
    """Import a public call when it is first used."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
