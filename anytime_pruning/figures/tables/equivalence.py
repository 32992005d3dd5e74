"""Tabulate whether one series is better than another, worse, or equivalent within a margin."""

import math
from typing import Any

import pandas as pd

from anytime_pruning.figures.claims.decisions import ALPHA, MAX_SEEDS, seeds_for
from anytime_pruning.figures.claims.seed_means import SeedMean
from anytime_pruning.figures.labels import dataset_label, model_label, series_label
from anytime_pruning.figures.seed_statistics import MIN_SEEDS, estimate, holm
from anytime_pruning.figures.series import STREAM, Series, of_series, ordered_series
from anytime_pruning.figures.tables.cells import CER, Measure, mean_and_interval, number
from anytime_pruning.figures.tables.pairs import choose_pairs

BETTER, WORSE, EQUIVALENT, UNDECIDED = "better", "worse", "equivalent", "undecided"
# The margin of CER is a share of the second series' mean, in percent.
MEASURES = {one.column: one for one in (Measure("test_acc_pct", "Test accuracy (points)", 2), CER)}


def tabulate(runs: pd.DataFrame, margins: dict[str, float]) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    """Return one row for each stream, pair of series and measure: cells, the note, and the numbers.

    Args:
        runs: the collected table.
        margins: margin by measure: points for `test_acc_pct`, percent for `cumulative_error_count`.
    """
    rows: list[dict[str, Any]] = []
    for _, panel in runs.groupby(STREAM):
        for first, second in choose_pairs(ordered_series(panel)):
            rows += [dict(zip(STREAM, panel[STREAM].iloc[0])) | row for row in _compare(panel, first, second, margins)]
    numbers = _decide(pd.DataFrame(rows))
    return pd.DataFrame([_render(row) for row in numbers.to_dict("records")]), _note(margins), numbers


def _compare(panel: pd.DataFrame, one: Series, other: Series, margins: dict[str, float]) -> list[dict[str, Any]]:
    """Return a row for each measure, or none if the two series have no seed in common."""
    first, second = (of_series(panel, series).set_index("seed") for series in (one, other))
    seeds = first.index.intersection(second.index)
    if seeds.empty:
        return []
    rows: list[dict[str, Any]] = []
    for measure in MEASURES.values():
        difference = first.loc[seeds, measure.column] - second.loc[seeds, measure.column]
        margin = margins[measure.column] * (second.loc[seeds, measure.column].mean() / 100 if measure.is_cer else 1)
        found = estimate(difference)
        measured = SeedMean(difference)
        is_tested = len(seeds) >= MIN_SEEDS and measured.has_spread()
        rows.append(
            {
                "first": series_label(one),
                "second": series_label(other),
                "measure": measure.column,
                "mean": found.mean,
                "low": found.low,
                "high": found.high,
                "seeds": found.seeds,
                "margin": margin,
                "p_difference": found.p_value,
                "p_equivalence": float(measured.p_within(-margin, margin)) if is_tested else math.nan,
                "measured": measured if is_tested else None,
            }
        )
    return rows


def _decide(numbers: pd.DataFrame) -> pd.DataFrame:
    """Add Holm's p-values, over all tests of the table, and the verdicts."""
    if numbers.empty:
        return numbers
    tests = ["p_difference", "p_equivalence"]
    corrected = holm(numbers[tests].to_numpy().ravel()).reshape(-1, len(tests))
    numbers = numbers.assign(p_difference_holm=corrected[:, 0], p_equivalence_holm=corrected[:, 1])
    numbers["verdict"] = [_verdict(row) for row in numbers.to_dict("records")]
    # The smallest p-value of a table has to pass this level; the others have it easier.
    level = ALPHA / max(1, int(numbers[tests].notna().sum().sum()))
    numbers["seeds_to_decide"] = [_seeds_to_decide(row, level) for row in numbers.to_dict("records")]
    return numbers.drop(columns="measured")


def _seeds_to_decide(row: dict[Any, Any], level: float) -> float:
    """Return how many seeds would decide an undecided pair; not a number for another pair, or if none is known."""
    if row["verdict"] != UNDECIDED or row["measured"] is None:
        return math.nan
    margin = row["margin"]
    differs = [((-math.inf, 0.0), level / 2), ((0.0, math.inf), level / 2)]
    return seeds_for(row["measured"], [((-margin, margin), level), *differs])


def _verdict(row: dict[Any, Any]) -> str:
    if row["p_equivalence_holm"] < ALPHA:
        return EQUIVALENT
    if row["p_difference_holm"] < ALPHA:
        return BETTER if (row["mean"] > 0) != MEASURES[row["measure"]].is_cer else WORSE
    return UNDECIDED


def _render(row: dict[Any, Any]) -> dict[str, str]:
    measure = MEASURES[row["measure"]]
    difference = mean_and_interval(row["mean"], row["low"], row["high"], row["seeds"], measure.decimals)
    return {
        "Dataset": dataset_label(row["dataset"]),
        "Network": model_label(row["model"]),
        "T": str(row["n_megabatches"]),
        "First": row["first"],
        "Second": row["second"],
        "Measure": measure.heading,
        "First − second": difference if row["mean"] <= 0 else f"+{difference}",
        "Margin": f"± {number(row['margin'], measure.decimals)}",
        "The first is": row["verdict"] + (_advice(row) if row["verdict"] == UNDECIDED else ""),
        "Seeds": str(row["seeds"]),
    }


def _advice(row: dict[Any, Any]) -> str:
    """Say how many seeds would decide, if that can be said."""
    if row["seeds"] < MIN_SEEDS:
        return f": fewer than {MIN_SEEDS} seeds"
    if math.isnan(row["p_equivalence"]):
        return ": every seed has the same difference"
    if math.isnan(row["seeds_to_decide"]):
        return f": more than {MAX_SEEDS:,} seeds would decide"
    return f": about {row['seeds_to_decide']:.0f} seeds would decide"


def _note(margins: dict[str, float]) -> str:
    return (
        "Pairs of the table of differences, seed by seed: mean ± half the width of its 95 % interval. Equivalent: the "
        "true difference lies within the margin, by two one-sided t-tests (TOST). Better or worse: it is not zero, by "
        "a two-sided t-test, and not shown to lie within the margin. Both by p-values below 5 % after Holm's "
        "correction over all tests of this table. Undecided: neither; with the given number of seeds one of the tests "
        "would decide with a chance of 80 %, at the strictest level of the correction, if mean and spread so far were "
        "the true ones. "
        f"Margins of this study: {_points(margins['test_acc_pct'])} of accuracy, "
        f"{margins['cumulative_error_count']:g} % of the second's CER."
    )


def _points(number: float) -> str:
    return f"{number:g} point{'' if number == 1 else 's'}"
