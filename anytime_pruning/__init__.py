"""Prune a network step by step while its training data arrives as a stream of megabatches.

This file offers the public calls and holds the two version numbers. Everything else lives in the rooms of the package,
whose order pyproject.toml lists: a room imports only from rooms below its own. This file must import no room, because
planning and drawing must not wait for torch.
"""

from importlib import import_module

__version__ = "0.1.0"

# This number is part of every run's digest, so a stored result of another version is never taken for a current one.
# Whoever changes the numbers of any run raises it by one. The golden test fails if only the numbers changed.
RESULTS_VERSION = 2

# The module of each public call. `__init__.pyi` declares the same calls to type checkers.
_PUBLIC = {
    "build_model": "anytime_pruning.models",
    "load_network": "anytime_pruning.export.network",
    "register": "anytime_pruning.foundation.registry",
    "run_stream": "anytime_pruning.runs.job",
    "score": "anytime_pruning.pruning.pruners",
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
