"""Write and read the list of a study's runs, which Snakemake watches."""

import csv
import time
from collections.abc import Sequence
from pathlib import Path

from anytime_pruning.foundation.files import write_text


def write_runs_list(path: Path, names: Sequence[str], runs_table: Path) -> None:
    """Write the names of a study's runs, one per line, if the list or the collected tables are out of date.

    Snakemake collects the runs again when the content of this file changes. The tables are also out of date if their
    runs are not those of the grid, for example because figures were drawn while runs were missing. In this case a
    comment with the time changes the content.

    Args:
        path: path of the list.
        names: names of the runs.
        runs_table: path of the collected runs.csv, which may be missing.
    """
    if runs_table.exists() and _runs_in(runs_table) != set(names):
        write_text(path, "".join(f"{name}\n" for name in names) + f"# tables of other runs, {time.time_ns()}\n")
    elif not path.exists() or read_runs_list(path) != list(names):
        write_text(path, "".join(f"{name}\n" for name in names))


def read_runs_list(path: Path) -> list[str]:
    """Read the names of runs from a file that `write_runs_list` wrote."""
    return [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def _runs_in(table: Path) -> set[str]:
    with table.open(encoding="utf-8", newline="") as file:
        return {row.get("run", "") for row in csv.DictReader(file)}
