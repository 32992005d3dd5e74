"""Write the final numbers of each series as small JSON files, which `dvc metrics` shows and compares."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from anytime_pruning.figures.files import named_in_errors, read_table
from anytime_pruning.figures.seed_statistics import summarize_seeds
from anytime_pruning.figures.series import SERIES, STREAM
from anytime_pruning.foundation.files import make_folder, write_text

MEASURES = ["test_acc_pct", "cumulative_error_count", "generalization_gap_pct", "clean_gap_pct", "density"]


def write_metrics(table: Path, folder: Path) -> None:
    """Write a file for each series into a folder; all earlier files in the folder are removed.

    Args:
        table: path of the collected table runs.csv.
        folder: folder for the files; it is made if missing.

    Raises:
        DataError: the table cannot be read, or is another one.
    """
    with named_in_errors(f"metrics of {table}", table):
        metrics = summarize(read_table(table))
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    for name, values in metrics.items():
        write_text(folder / f"{name}.json", json.dumps(values, indent=2) + "\n")


def summarize(runs: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the means over seeds of each series, with six significant digits.

    Args:
        runs: the collected table, one row for each run.

    Returns:
        The measures and the number of seeds of each series, by a name that is allowed as a file name.
    """
    summary = summarize_seeds(runs, [*STREAM, *SERIES], MEASURES)
    return {
        name_of_series(row): {
            **{measure: float(f"{row[f'{measure}_mean']:.6g}") for measure in MEASURES},
            "seeds": int(row["seeds"]),
        }
        for row in summary.to_dict("records")
    }


def name_of_series(row: Mapping[Any, Any]) -> str:
    """Return <dataset>-<model>-T<n>-<protocol>-<method>-<pruner>, followed by the variant if there is one.

    Args:
        row: the columns of a series by name, as in the collected tables.
    """
    parts = [row["dataset"], row["model"], f"T{row['n_megabatches']}", *(row[key] for key in SERIES)]
    return "-".join(re.sub(r"[^\w.=-]+", "_", part.replace(",", "")).strip("_") for part in parts if part)
