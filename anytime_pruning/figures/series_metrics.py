"""The final numbers of each series as small JSON files, mean over seeds, which `dvc metrics` shows and compares."""

import argparse
import json
import re
import shutil
import sys
from pathlib import Path

import pandas as pd

from anytime_pruning.figures.files import SERIES, STREAM, TableError, read_table
from anytime_pruning.figures.seed_statistics import summarize_seeds

MEASURES = ["test_acc_pct", "cumulative_error_count", "generalization_gap_pct", "clean_gap_pct", "density"]


def summarize(runs: pd.DataFrame) -> dict[str, dict[str, float]]:
    """The means over seeds of each series, six significant digits, by a name that can be a file's.

    Args:
        runs: the collected table, one row for each run.
    """
    summary = summarize_seeds(runs, [*STREAM, *SERIES], MEASURES)
    return {
        name_series(row): {
            **{measure: float(f"{row[f'{measure}_mean']:.6g}") for measure in MEASURES},
            "seeds": int(row["seeds"]),
        }
        for row in summary.to_dict("records")
    }


def name_series(row: dict) -> str:
    """<dataset>-<model>-T<n>-<protocol>-<method>-<pruner>, and the variant of an unusual series."""
    places = [row["dataset"], row["model"], f"T{row['n_megabatches']}", *(row[key] for key in SERIES)]
    return "-".join(re.sub(r"[^\w.=-]+", "_", place) for place in places if place)


def main() -> int:
    """Write a file for each series into an empty folder; a mistake is one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path, help="the collected table runs.csv")
    parser.add_argument("folder", type=Path, help="folder for the files; what is in it goes")
    options = parser.parse_args()
    try:
        metrics = summarize(read_table(options.table))
    except TableError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    for name, values in metrics.items():
        (options.folder / f"{name}.json").write_text(json.dumps(values, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
