"""Compute what training has cost after each megabatch, and which series is best within a budget."""

import math
from typing import NamedTuple

import pandas as pd

from anytime_pruning.figures.seed_statistics import Estimate, estimate, paired_difference
from anytime_pruning.figures.series import SERIES, STREAM, Series, of_series, ordered_series

# The two ways to count multiply-accumulates of training, by the columns of the collected table of megabatches.
COSTS = {
    "train_macs": "as executed here, with dense kernels",
    "train_macs_kept": "of the weights that are kept, as hardware for sparse networks would compute",
}
SPENT = {column: f"spent_{column}" for column in COSTS}
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def add_spent(megabatches: pd.DataFrame) -> pd.DataFrame:
    """Return the table with sums over the stream so far: `spent_...` for each cost, and `cer_count`, the errors."""
    ordered = megabatches.sort_values("t", kind="stable")
    sums = ordered.groupby([*STREAM, *SERIES, "seed"])[[*COSTS, "error_count"]].cumsum()
    return megabatches.join(sums.rename(columns={**SPENT, "error_count": "cer_count"}))


def unit_of(largest: float) -> tuple[float, str]:
    """Return the power of 1000 below a cost, in which it is readable, as a number and in print, where 1 is empty."""
    power = 3 * int(math.log10(max(largest, 1)) // 3)
    return 10.0**power, f"10{str(power).translate(_SUPERSCRIPTS)}" if power else ""


class Affordable(NamedTuple):
    """Holds what one series reaches within a budget.

    Attributes:
        series: the series.
        t: last megabatch that all seeds can pay.
        values: the measured value after it, indexed by seed.
        estimate: the mean over seeds with its interval.
    """

    series: Series
    t: int
    values: "pd.Series[float]"
    estimate: Estimate


def affordable(spent: pd.DataFrame, cost: str, budget: float, measure: str, whole: bool) -> list[Affordable]:
    """Return what each series of one stream reaches within a budget, for those that can pay at least one megabatch.

    Args:
        spent: result of `add_spent` for one stream.
        cost: key of `COSTS`.
        budget: multiply-accumulates of training.
        measure: column of the value, such as `test_acc_pct`.
        whole: whether only series count that can pay their whole stream.
    """
    found = []
    for series in ordered_series(spent):
        rows = of_series(spent, series)
        dearest = rows.groupby("t")[SPENT[cost]].max()
        paid = dearest[(dearest <= budget * (1 + 1e-9)) & (dearest > 0)]
        if paid.empty or (whole and paid.index.max() < rows["t"].max()):
            continue
        t = int(paid.index.max())
        values = rows[rows["t"] == t].set_index("seed")[measure]
        found.append(Affordable(series, t, values, estimate(values)))
    return found


class Comparison(NamedTuple):
    """Holds the best of several series within a budget.

    Attributes:
        best: the best series.
        second: the next best; None if no other series can pay.
        difference: the best minus the next, paired by seed; None if there is no other or none with a seed in common.
    """

    best: Affordable
    second: Affordable | None
    difference: Estimate | None


def compare_best(found: list[Affordable], fewer_is_better: bool) -> Comparison | None:
    """Return the best of several series beside the second best; None without a series."""
    ranked = sorted(found, key=lambda one: one.estimate.mean * (1 if fewer_is_better else -1))
    if not ranked:
        return None
    if len(ranked) == 1:
        return Comparison(ranked[0], None, None)
    best, second, *_ = ranked
    has_pairs = not best.values.index.intersection(second.values.index).empty
    return Comparison(best, second, paired_difference(best.values, second.values) if has_pairs else None)
