"""Draw one planned figure of a study: find its runs in the collected tables, let its kind draw, and save the files.

A figure is drawn from all its runs or not at all. If some runs are missing, a file under another name,
<figure>.missing.png (for a table <table>.missing.md), names them, and the files of the figure itself are removed.
"""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from anytime_pruning.figures.catalog import Figure, FigureKind, PlotKind, TableKind
from anytime_pruning.figures.files import read_table, save_figure, save_table, with_ending
from anytime_pruning.foundation.errors import DataError, SettingError, show
from anytime_pruning.foundation.files import write_text
from anytime_pruning.results.rows import NEWER_COLUMNS

# The most run names in the file that replaces a figure whose runs are missing.
MOST_NAMES = 50


class MissingRunsError(DataError):
    """Signals that runs of a figure are not in the collected table; the message names all these runs."""

    def __init__(self, missing: list[str], n_runs: int) -> None:
        super().__init__("")
        self.args = (
            f"not drawn, {len(missing)} of its {n_runs} runs are missing and have to be trained first: "
            f"{', '.join(missing)}",
        )


def read_figure(plan: Path, name: str) -> Figure:
    """Read one figure of a plan.

    Raises:
        OSError: the plan cannot be opened.
        DataError: the plan is damaged.
        SettingError: the plan has no figure of this name.
    """
    try:
        figures: dict[str, Any] = json.loads(plan.read_text(encoding="utf-8"))
    except ValueError:
        raise DataError(f"{plan}: not JSON") from None
    if name not in figures:
        raise SettingError(f"{plan} has no entry {show(name)}; planned: {', '.join(figures)}")
    return Figure.from_json(figures[name])


def draw(figure: Figure, tables_dir: Path, stem: Path) -> None:
    """Write the files of a figure, or a file that names the missing runs.

    Args:
        figure: the planned figure.
        tables_dir: folder of the collected tables.
        stem: output path without suffix.

    Raises:
        MissingRunsError: runs of the figure are not in its tables.
        DataError: a table cannot be read, or lacks a value.
        KeyError: a table lacks a column.
        OSError: a file cannot be written.
        SettingError: the kind of the figure is not registered.
    """
    kind = figure.kind
    missing_path = with_ending(stem, kind.missing_file)
    tables = [read_table(tables_dir / f"{name}.csv") for name in figure.tables]
    missing = sorted({run for table in tables for run in set(figure.runs) - set(table["run"])})
    if missing:
        for ending in figure.kinds:
            with_ending(stem, ending).unlink(missing_ok=True)
        _say_missing(missing, len(figure.runs), missing_path)
        raise MissingRunsError(missing, len(figure.runs))
    rows = [_check_values(table[table["run"].isin(figure.runs)]) for table in tables]
    missing_path.unlink(missing_ok=True)
    _save(kind, rows, figure.options, stem)


def _save(kind: FigureKind, rows: list[pd.DataFrame], options: dict[str, Any], stem: Path) -> None:
    """Draw a picture or tabulate a table, and write its files."""
    if isinstance(kind, TableKind):
        save_table(*kind.tabulate(*rows, **options), stem)
    elif isinstance(kind, PlotKind):
        # The import is inside the branch, because writing a table does not need matplotlib.
        import matplotlib.pyplot as plt

        from anytime_pruning.figures.style import set_style

        set_style()
        save_figure(*kind.draw(*rows, **options), stem)
        plt.close("all")


def _check_values(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table unchanged if no value in its rows is missing.

    Raises:
        DataError: a value is missing; the message names its column and run.
    """
    for column in table.columns.difference(["variant", "commit", *NEWER_COLUMNS]):
        if table[column].isna().any():
            raise DataError(f"column {column} has no value for run {table['run'][table[column].isna()].iloc[0]}")
    return table


def _say_missing(missing: list[str], n_runs: int, path: Path) -> None:
    """Write a picture or a text that replaces a figure or a table."""
    lines = [f"Not drawn: {len(missing)} of the {n_runs} runs of this figure are missing.", *missing[:MOST_NAMES]]
    if len(missing) > MOST_NAMES:
        lines.append(f"and {len(missing) - MOST_NAMES} more, which the error message names")
    if path.suffix == ".md":
        write_text(path, "\n\n".join(lines) + "\n")
        return
    from anytime_pruning.figures.style import save_lines

    save_lines(lines, path)
