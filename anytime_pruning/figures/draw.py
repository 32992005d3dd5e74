"""Draw one figure, or write one table, of a study: find its runs in the collected table, hand them to its script, save.

A figure is drawn of all its runs or not at all. If some are not in the table, a picture under another name,
<figure>.missing.png (for a table <table>.missing.md), says which, the figure itself is removed, and the exit status is
2.
"""

import argparse
import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from anytime_pruning.figures import style
from anytime_pruning.figures.files import FIGURE_KINDS, TableError, read_table, save_figure, save_table, with_kind
from anytime_pruning.figures.plots import ablation, dynamics, framework, gap, layers, short
from anytime_pruning.figures.tables import cost, differences, direction_changes, results

# Figures return the figure and its numbers.
FIGURES = {
    "short": short.draw,
    "dynamics": dynamics.draw,
    "gap": gap.draw,
    "layers": layers.draw,
    "ablation": ablation.draw,
    "framework": framework.draw,
}
# Tables return the cells as texts, a note, and the numbers.
TABLES = {
    "results": results.tabulate,
    "few_shot": results.tabulate_few_shot,
    "differences": differences.tabulate,
    "cost": cost.tabulate,
    "direction_changes": direction_changes.tabulate,
}


MOST_NAMES = 50


def draw(planned: dict, tables_dir: Path, stem: Path) -> list[str]:
    """Make the files of one planned figure, or say in its place what is missing.

    Args:
        planned: as `anytime_pruning.figures.catalog.Figure.as_json`.
        tables_dir: folder of the collected tables.
        stem: output path without suffix.

    Returns:
        The names of missing runs; empty if the figure was drawn.
    """
    missing_path = with_kind(stem, "missing.png" if tuple(planned["kinds"]) == FIGURE_KINDS else "missing.md")
    inputs = []
    if planned["table"]:
        table = read_table(tables_dir / f"{planned['table']}.csv")
        missing = sorted(set(planned["runs"]) - set(table["run"]))
        if missing:
            for kind in planned["kinds"]:
                with_kind(stem, kind).unlink(missing_ok=True)
            say_missing(missing, len(planned["runs"]), missing_path)
            return missing
        inputs = [check_numbers(table[table["run"].isin(planned["runs"])])]
    missing_path.unlink(missing_ok=True)
    if planned["draw"] in FIGURES:
        style.set_style()
        save_figure(*FIGURES[planned["draw"]](*inputs, **planned["options"]), stem)
        plt.close("all")
    else:
        save_table(*TABLES[planned["draw"]](*inputs, **planned["options"]), stem)
    return []


def check_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """The table, all of whose values are there.

    Raises:
        TableError: one is not; its column and run are named.
    """
    for column in table.columns.difference(["variant", "commit"]):
        if table[column].isna().any():
            raise TableError(f"column {column} has no value for run {table['run'][table[column].isna()].iloc[0]}")
    return table


def say_missing(missing: list[str], n_runs: int, path: Path) -> None:
    """A picture, or a text, in place of a figure or table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"Not drawn: {len(missing)} of the {n_runs} runs of this figure are missing.", *missing[:MOST_NAMES]]
    lines += [f"and {len(missing) - MOST_NAMES} more, which the error message names"] * (len(missing) > MOST_NAMES)
    if path.suffix == ".md":
        path.write_text("\n\n".join(lines) + "\n")
        return
    style.set_style()
    figure = plt.figure(figsize=(style.WIDTH, 0.6 + 0.15 * len(lines)))
    figure.text(0.03, 0.5, "\n".join(lines), va="center", fontsize=7, family="monospace", color="#AA0000")
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


def main() -> int:
    """Draw what the command line names; a mistake is one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plan", type=Path, help="JSON file with the planned figures of the study")
    parser.add_argument("name", help="one of them")
    parser.add_argument("tables_dir", type=Path, help="folder of the collected tables")
    parser.add_argument("stem", type=Path, help="output path without suffix")
    options = parser.parse_args()
    try:
        planned = json.loads(options.plan.read_text())[options.name]
        missing = draw(planned, options.tables_dir, options.stem)
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyError as error:
        print(f"error: {options.name}: no column or entry {error} in {options.tables_dir}", file=sys.stderr)
        return 2
    except TableError as error:
        print(f"error: {options.name}: {error}", file=sys.stderr)
        return 2
    if missing:
        print(
            f"error: {options.name}: not drawn, {len(missing)} of its {len(planned['runs'])} runs are missing and have "
            f"to be trained first: {', '.join(missing)}",
            file=sys.stderr,
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
