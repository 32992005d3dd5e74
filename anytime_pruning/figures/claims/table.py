"""Write the table of claims with their verdicts."""

from pathlib import Path
from typing import Any

import pandas as pd

from anytime_pruning.figures.claims.definitions import read_claims
from anytime_pruning.figures.claims.verdicts import NOT_REPRODUCED, NOT_RUN, OTHER_DATA, REPRODUCED, check
from anytime_pruning.figures.files import named_in_errors, read_table, save_table
from anytime_pruning.figures.seed_statistics import MIN_SEEDS
from anytime_pruning.figures.tables.cells import number
from anytime_pruning.results.run_list import read_runs_list

NOTE = (
    "Measured: mean over seeds of the difference between two runs of the same seed, or of one run, with its 95 % "
    f"interval (Student's t; with fewer than {MIN_SEEDS} seeds, from the lowest to the highest). Only runs of the "
    f"paper's protocol count. **{REPRODUCED}**: on the data, network, stream and settings of the claim, with at least "
    f"{MIN_SEEDS} seeds, the interval reaches the claimed number within its tolerance, on its side of zero; for a "
    f"claim without a number, the interval lies on the claimed side. **{NOT_REPRODUCED}**: the claim was measured "
    f"there, and its interval does not. **{OTHER_DATA}**: measured on something else, which the row names; the "
    f"number says nothing about the paper's. **{NOT_RUN}**: no run here measures the claim, or fewer than "
    f"{MIN_SEEDS} seeds do."
)
SIDES = {"positive": "above 0", "negative": "below 0"}
HEADINGS = ["Claim", "Source", "Claimed", "Measured", "Interval", "Seeds", "Measured on", "Verdict"]


def write_claims(claims: Path, runs_list: Path, runs_dir: Path, tables_dir: Path, stem: Path) -> None:
    """Judge claims and write their table.

    Args:
        claims: YAML file of claims.
        runs_list: file with the names of the study's runs; the note counts missing runs.
        runs_dir: folder of the runs.
        tables_dir: folder of the collected tables.
        stem: output path without suffix.

    Raises:
        SettingError: the file of claims is missing or has a wrong key or value.
        DataError: a file cannot be read or written, or a table lacks a column.
    """
    with named_in_errors("claims", tables_dir):
        asked = read_claims(claims)
        tables = {name: read_table(tables_dir / f"{name}.csv") for name in ("runs", "megabatches", "layers")}
        planned = read_runs_list(runs_list)
        rows = check(asked, tables, runs_dir)
        missing = len(set(planned) - set(tables["runs"]["run"]))
        note = NOTE + (f" **{missing} of the study's {len(planned)} runs are missing.**" if missing else "")
        save_table(render(rows), note, rows, stem)


def render(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the table for readers, with a text in every cell.

    Args:
        rows: the table that `verdicts.check` returns.
    """
    cells = [_cells_of({str(key): value for key, value in row.items()}) for row in rows.to_dict("records")]
    return pd.DataFrame(cells, columns=HEADINGS)


def _cells_of(row: dict[str, Any]) -> list[str]:
    decimals = 3 if row["unit"].startswith("of the") else 0 if row["unit"] == "errors" else 2
    claimed = SIDES[row["claimed"]] if isinstance(row["claimed"], str) else number(row["claimed"], decimals)
    measured, low, high = (number(row[key], decimals) if row["seeds"] else "–" for key in ("measured", "low", "high"))
    interval = f"{low} to {high}" if row["seeds"] else "–"
    return [
        *(row["claim"], row["source"], f"{claimed} {row['unit']}"),
        *(measured, interval, str(row["seeds"])),
        *(row["measured_on"] or "–", row["verdict"]),
    ]
