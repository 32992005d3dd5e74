"""List the names that a configuration can use: the command `list`."""

import argparse

HELP = "list the registered names"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no options."""


def run(options: argparse.Namespace) -> None:
    """List the names that a configuration can use, by the kind of the registered object."""
    from anytime_pruning.foundation.registry import KINDS, names

    _import_what_registers()
    width = max(map(len, KINDS)) + 2
    for kind in KINDS:
        print(f"{kind + ':':{width}}{', '.join(names(kind))}")


def _import_what_registers() -> None:
    """Import every module that registers a name when it is imported."""
    from anytime_pruning import datasets, models  # noqa: F401
    from anytime_pruning.figures import catalog  # noqa: F401
    from anytime_pruning.pruning import protocols, prunable, pruners, regrowth, schedules, selections  # noqa: F401
    from anytime_pruning.runs import starts, trackers  # noqa: F401
    from anytime_pruning.stream import replay  # noqa: F401
