"""Tabulate the best series within a budget of training."""

from itertools import product
from typing import Any

import pandas as pd

from anytime_pruning.figures.budget.spending import (
    COSTS,
    SPENT,
    Comparison,
    add_spent,
    affordable,
    compare_best,
    unit_of,
)
from anytime_pruning.figures.labels import dataset_label, model_label, series_label
from anytime_pruning.figures.seed_statistics import MIN_SEEDS, Estimate
from anytime_pruning.figures.series import STREAM
from anytime_pruning.figures.tables.cells import INTERVAL_NOTE, TEST_ACC, Measure, mean_and_interval

SHARES = (0.25, 0.5, 0.75, 1.0)


MEASURES = (TEST_ACC, Measure("cer_count", "CER (count)", 0, is_cer=True))
NOTE = (
    "Within a budget a series is trained on as many megabatches as it can pay. CER is compared among those that can "
    "pay their whole stream; a budget that no series can pay has no row. Budgets are shares of the cost of the dearest "
    f"series. Cost: multiply-accumulates of training, {'; or '.join(COSTS.values())}. Scoring and evaluation are not "
    "counted. Difference: best minus next, paired by seed; not told apart: fewer than "
    f"{MIN_SEEDS} seeds, or 0 lies within the 95 % interval, which is not corrected for the choice among series. "
    f"{INTERVAL_NOTE}"
)


def tabulate(megabatches: pd.DataFrame) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    """Return one row for each stream, cost, measure and budget: cells, the note, and the numbers."""
    spent = add_spent(megabatches)
    rows = []
    for stream, table in spent.groupby(STREAM, sort=True):
        for cost, measure, share in product(COSTS, MEASURES, SHARES):
            budget = share * table[SPENT[cost]].max()
            found = affordable(table, cost, budget, measure.column, measure.is_cer)
            if comparison := compare_best(found, measure.is_cer):
                place = dict(zip(STREAM, stream)) | {"cost": cost, "budget_macs": budget, "share": share}
                rows.append((place, measure, comparison))
    return pd.DataFrame([_render(*row) for row in rows]), NOTE, pd.DataFrame([_numbers(*row) for row in rows])


def _render(place: dict[str, Any], measure: Measure, comparison: Comparison) -> dict[str, str]:
    best, second, difference = comparison
    unit, name = unit_of(place["budget_macs"] / place["share"])
    return {
        "Dataset": dataset_label(place["dataset"]),
        "Network": model_label(place["model"]),
        "T": str(place["n_megabatches"]),
        "Cost": "executed" if place["cost"] == "train_macs" else "of kept weights",
        "Budget": f"{place['budget_macs'] / unit:,.1f}{'·' if name else ''}{name} ({100 * place['share']:.0f} %)",
        "Measure": measure.heading,
        "Best": f"{series_label(best.series)} (t = {best.t})",
        "Value": mean_and_interval(*best.estimate[:4], measure.decimals),
        "Next": "no other" if second is None else f"{series_label(second.series)} (t = {second.t})",
        "Difference": "–" if difference is None else _render_difference(difference, measure.decimals),
    }


def _render_difference(difference: Estimate, decimals: int) -> str:
    sign = "+" if difference.mean > 0 else ""
    is_told = difference.seeds >= MIN_SEEDS and not difference.low <= 0 <= difference.high
    return f"{sign}{mean_and_interval(*difference[:4], decimals)}{'' if is_told else ', not told apart'}"


def _numbers(place: dict[str, Any], measure: Measure, comparison: Comparison) -> dict[str, Any]:
    best, second, difference = comparison
    return place | {
        "measure": measure.column,
        "best": series_label(best.series),
        "best_t": best.t,
        "best_mean": best.estimate.mean,
        "next": second and series_label(second.series),
        "next_t": second and second.t,
        "difference": difference and difference.mean,
        "low": difference and difference.low,
        "high": difference and difference.high,
        "seeds": difference and difference.seeds,
    }
