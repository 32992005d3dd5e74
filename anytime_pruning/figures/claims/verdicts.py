"""Judge the claims of the paper by what a study measured: reproduced, not reproduced, other data or not run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from anytime_pruning.figures.claims.definitions import Claim, Side
from anytime_pruning.figures.claims.described_runs import describe_run
from anytime_pruning.figures.claims.measures import measure_runs
from anytime_pruning.figures.seed_statistics import MIN_SEEDS, Estimate, estimate, paired_difference
from anytime_pruning.figures.series import STREAM

REPRODUCED, NOT_REPRODUCED, OTHER_DATA, NOT_RUN = "reproduced", "not reproduced", "other data", "not run"


def check(claims: list[Claim], tables: Mapping[str, pd.DataFrame], runs_dir: Path) -> pd.DataFrame:
    """Judge each claim on every stream where it was made.

    Args:
        claims: the claims of the paper.
        tables: the collected tables `runs`, `megabatches` and `layers` by name.
        runs_dir: folder of the runs, whose settings are read.

    Returns:
        A row for each claim and each stream that the claim is about. If the study has no such stream, the claim has a
        row for each other stream with the same measure, or one row without numbers if no stream has the measure.

    Raises:
        DataError: the settings of a run cannot be read.
        KeyError: a table lacks a column.
    """
    runs = tables["runs"].query("protocol == 'paper'").copy()
    described = [describe_run(runs_dir / name) for name in runs["run"]]
    runs["data"] = [run.data for run in described]
    runs["others"] = pd.Series([run.others for run in described], runs.index, dtype=object)
    runs["precision_asked"] = [run.precision_asked for run in described]
    rows = []
    for claim in claims:
        measured = runs.assign(value=runs["run"].map(measure_runs(claim.measure, tables)))
        is_meant = [fits(claim, {str(key): value for key, value in run.items()}) for run in measured.to_dict("records")]
        meant = measured[pd.Series(is_meant, measured.index, dtype=bool)]
        found = [row for group in _by_stream(meant) if (row := _judge(claim, group, is_meant=True))]
        if not found:
            usual = measured[measured["variant"] == ""]
            found = [row for group in _by_stream(usual) if (row := _judge(claim, group, is_meant=False))]
        rows += found or [row_of(claim, None, "", NOT_RUN)]
    return pd.DataFrame(rows)


def fits(claim: Claim, run: Mapping[str, Any]) -> bool:
    """Return whether a claim is about the images, network, stream and settings of a run."""
    place = claim.where
    is_in_place = all(run[key] in getattr(place, key) for key in ("data", "model", "n_megabatches"))
    return is_in_place and bool(run["others"] == place.settings)


def is_met(claim: Claim, found: Estimate) -> bool:
    """Return whether an interval over enough seeds reproduces a claim; the note of the table explains the rule."""
    if isinstance(claim.claimed, str):
        return found.low > 0 if claim.claimed == "positive" else found.high < 0
    tolerance = claim.tolerance or 0
    is_reached = found.low <= claim.claimed + tolerance and found.high >= claim.claimed - tolerance
    return is_reached and (found.low > 0 if claim.claimed > 0 else found.high < 0)


def row_of(claim: Claim, found: Estimate | None, measured_on: str, verdict: str) -> dict[str, Any]:
    """Return the row of a claim.

    Args:
        claim: a claim of the paper.
        found: estimate of the measure, or None if no run has it.
        measured_on: the stream, and the settings that differ from the released commands.
        verdict: one of the four verdicts.
    """
    return {
        "id": claim.id,
        "claim": claim.text,
        "source": claim.source,
        "claimed": claim.claimed,
        "unit": claim.unit,
        "measured": found.mean if found else None,
        "low": found.low if found else None,
        "high": found.high if found else None,
        "seeds": found.seeds if found else 0,
        "measured_on": measured_on,
        "verdict": verdict,
    }


def _by_stream(runs: pd.DataFrame) -> list[pd.DataFrame]:
    """Group runs by dataset, network, T and requested precision, because paired runs must share all four."""
    return [group for _, group in runs.groupby([*STREAM, "precision_asked"], sort=True)]


def _judge(claim: Claim, runs: pd.DataFrame, is_meant: bool) -> dict[str, Any] | None:
    """Return the row of a claim on one stream, or None if the stream lacks the runs that are needed."""
    found = _compare(claim, runs)
    if found is None:
        return None
    if not is_meant:
        verdict = OTHER_DATA
    elif found.seeds < MIN_SEEDS:
        verdict = NOT_RUN
    else:
        verdict = REPRODUCED if is_met(claim, found) else NOT_REPRODUCED
    return row_of(claim, found, _name_place(runs), verdict)


def _compare(claim: Claim, runs: pd.DataFrame) -> Estimate | None:
    """Estimate the measure of a claim over seeds, paired where two series are compared."""
    first = _values_of(runs, claim.first)
    if claim.second is None:
        return None if first.empty else estimate(first.to_numpy())
    second = _values_of(runs, claim.second)
    seeds = first.index.intersection(second.index)
    if seeds.empty:
        return None
    if not claim.relative:
        return paired_difference(first, second)
    return estimate((100 * (first.loc[seeds] - second.loc[seeds]) / second.loc[seeds].abs()).to_numpy())


def _values_of(runs: pd.DataFrame, side: Side) -> "pd.Series[float]":
    """Return the values of the measure for a series, indexed by seed."""
    chosen = runs[(runs["method"] == side.method) & (runs["pruner"] == side.pruner)]
    return chosen.set_index("seed")["value"].sort_index()


def _name_place(runs: pd.DataFrame) -> str:
    """Name dataset, network, T, and the settings in which any run differs from the released commands.

    The settings of all runs count, because a dense run has no settings of pruning.
    """
    run = runs.iloc[0]
    others = {f"{key}={value}" for settings in runs["others"] for key, value in settings.items()}
    if run["precision_asked"] != "auto":
        others.add(f"precision={run['precision_asked']}")
    return "; ".join([f"{run['dataset']}, {run['model']}, T = {run['n_megabatches']}", *sorted(others)])
