"""Write the table of claims with their verdicts."""

from pathlib import Path
from typing import Any

import pandas as pd

from anytime_pruning.figures.claims.decisions import (
    BY_CONSTRUCTION,
    MAX_SEEDS,
    NOT_TESTED,
    POWER,
    REFUTED,
    REPRODUCED,
    UNDECIDED,
)
from anytime_pruning.figures.claims.definitions import TABLES, Claim, read_claims
from anytime_pruning.figures.claims.verdicts import check
from anytime_pruning.figures.files import named_in_errors, read_table, save_table
from anytime_pruning.figures.seed_statistics import MIN_SEEDS
from anytime_pruning.figures.tables.cells import number
from anytime_pruning.results.run_list import read_runs_list

NOTE = (
    "A claim is judged only on its own data, network, T and settings, under each protocol by itself, by differences "
    "between runs of the same seed. A cell has the verdict, and the mean over seeds with its 90 % interval. "
    f"**{REPRODUCED}**: this interval lies within the margin (±) around the claimed number, or on the claimed side "
    f"(two one-sided t-tests at 5 %). **{REFUTED}**: the 95 % interval lies outside that range; or a claimed direction "
    "is not reproduced, and the 90 % interval lies where a difference is negligible. "
    f"**{UNDECIDED}**: neither; with the given number of seeds a test would decide with a chance of "
    f"{100 * POWER:.0f} %, if mean and spread so far were the true ones; counts up to {MAX_SEEDS:,} are tried. "
    f"**{BY_CONSTRUCTION}**: the protocol prescribes the number, and every run has it, so it is no finding; any other "
    f"number is {REFUTED}. **{NOT_TESTED}**: there are no such runs, or fewer than {MIN_SEEDS} seeds; the last column "
    "names what was run instead, whose numbers are in the table of differences. A star says that the verdict holds "
    "after Holm's correction over all tests of this table, too; without it, chance alone may have found the verdict "
    "among so many claims. The reasons for the margins are in config/claims.yaml, all numbers in claims.csv."
)


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
        tables = {name: read_table(tables_dir / f"{name}.csv") for name in TABLES}
        planned = read_runs_list(runs_list)
        rows = check(asked, tables, runs_dir)
        missing = len(set(planned) - set(tables["runs"]["run"]))
        save_table(render(rows), _note(asked, missing, len(planned)), rows, stem)


def render(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the table for readers, with a text in every cell and a column for each protocol.

    Args:
        rows: the table that `verdicts.check` returns.
    """
    lines = []
    for _, of_stream in rows.groupby(["id", "run_here"], sort=False):
        records = [{str(key): value for key, value in row.items()} for row in of_stream.to_dict("records")]
        row = records[0]
        verdicts = {f"Protocol: {of_protocol['protocol']}": _verdict_cell(of_protocol) for of_protocol in records}
        names = {"Claim": row["claim"], "Source": row["source"], "Claimed": _claimed_cell(row)}
        lines.append(names | verdicts | {"Run here": row["run_here"] or "–"})
    return pd.DataFrame(lines)


def _claimed_cell(row: dict[str, Any]) -> str:
    """Write `17.97 ± 1.50 points`, or `above 0 points (± 0.50 is negligible)`."""
    margin = f"± {number(row['margin'], _decimals(row))}"
    if not isinstance(row["claimed"], str):
        prescribed = f" (prescribed by protocol {row['by_construction']})" if row["by_construction"] else ""
        return f"{number(row['claimed'], _decimals(row))} {margin} {row['unit']}{prescribed}"
    return f"{row['claimed']} {row['unit']}" + (f" ({margin} is negligible)" if pd.notna(row["margin"]) else "")


def _verdict_cell(row: dict[str, Any]) -> str:
    """Write a verdict with the numbers behind it, such as `reproduced: 17.20 (16.10 to 18.30), 5 seeds`."""
    measured, low, high = (number(row[key], _decimals(row)) for key in ("measured", "low_90", "high_90"))
    interval = f" ({low} to {high})" if pd.notna(row["low_90"]) else ""
    seeds = f"{row['seeds']} seed" + ("s" if row["seeds"] > 1 else "")
    numbers = [f"{measured}{interval}"] if pd.notna(row["measured"]) else []
    numbers += [seeds] if row["seeds"] else []
    verdict = row["verdict"] + (" *" if pd.notna(row["holds_after_holm"]) and row["holds_after_holm"] else "")
    text = ": ".join([verdict, *([", ".join(numbers)] if numbers else [])])
    return "; ".join([text, *([row["reason"]] if row["reason"] else [])])


def _decimals(row: dict[str, Any]) -> int:
    """Return the number of decimals with which the numbers of a claim are shown."""
    return 3 if row["unit"].startswith("of the") else 0 if row["unit"] == "errors" else 2


def _note(claims: list[Claim], missing: int, planned: int) -> str:
    """Return the note below the table, with the remarks of the claims and the number of missing runs."""
    remarks = list(dict.fromkeys(claim.remark for claim in claims if claim.remark))
    missed = [f"**{missing} of the study's {planned} runs are missing.**"] if missing else []
    return " ".join([NOTE, *remarks, *missed])
