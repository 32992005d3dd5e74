"""Write and read the list of a study's runs."""

import csv
import time
from collections.abc import Sequence
from pathlib import Path

from anytime_pruning.foundation.files import write_text


def write_runs_list(path: Path, names: Sequence[str], runs_table: Path) -> None:
    """The grid as a file, which collecting runs depends on: the names of the runs, one a line.

    It changes when the grid does, and also when the collected table is of other runs, as it is after figures were drawn
    while some were missing: then a comment tells this time from any before, for Snakemake takes a file as new by its
    content.
    """
    if runs_table.exists() and _runs_in(runs_table) != set(names):
        write_text(path, "".join(f"{name}\n" for name in names) + f"# tables of other runs, {time.time_ns()}\n")
    elif not path.exists() or read_runs_list(path) != list(names):
        write_text(path, "".join(f"{name}\n" for name in names))


def read_runs_list(path: Path) -> list[str]:
    """The names of runs in a file of `write_runs_list`."""
    return [line for line in path.read_text().splitlines() if not line.startswith("#")]


def _runs_in(table: Path) -> set[str]:
    with table.open(newline="") as file:
        return {row.get("run", "") for row in csv.DictReader(file)}
