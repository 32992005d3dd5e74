"""Tabulate paired differences between series that differ in one choice (method, pruner, protocol or a setting)."""

from typing import Any

import pandas as pd

from anytime_pruning.figures.labels import dataset_label, model_label, series_label
from anytime_pruning.figures.seed_statistics import MIN_SEEDS, Estimate, paired_difference
from anytime_pruning.figures.series import STREAM, of_series, ordered_series
from anytime_pruning.figures.tables.cells import CLEAN_GAP, GAP, Measure, mean_and_interval
from anytime_pruning.figures.tables.pairs import choose_pairs

MEASURES = (
    Measure("test_acc_pct", "Test accuracy (points)", 2),
    Measure("cumulative_error_count", "CER (count)", 0),
    GAP,
    CLEAN_GAP,
)
NOTE = (
    "First minus second, paired by seed: mean ± half the width of its 95 % interval (Student's t), with * where the "
    f"interval excludes 0; (lowest to highest seed) where there are fewer than {MIN_SEEDS}. Not corrected for the "
    "number of comparisons. The p-values of two-sided t-tests are in the CSV."
)
HEADINGS = ["Dataset", "Network", "T", "First", "Second", *(measure.heading for measure in MEASURES), "Seeds"]


def tabulate(runs: pd.DataFrame) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    """Return one row for each stream and pair of series: cells, the note, and the numbers."""
    numbers: list[dict[str, Any]] = []
    cells: list[list[str]] = []
    for _, panel in runs.groupby(STREAM):
        dataset, model, n_megabatches = panel[STREAM].iloc[0]
        for first, second in choose_pairs(ordered_series(panel)):
            found = _compare(of_series(panel, first), of_series(panel, second))
            if not found:
                continue
            row = dict(zip(STREAM, (dataset, model, n_megabatches)))
            row |= {f"first_{key}": value for key, value in first._asdict().items()}
            row |= {f"second_{key}": value for key, value in second._asdict().items()}
            numbers.append(row | _numbers_of(found))
            cells.append(
                [
                    *(dataset_label(dataset), model_label(model), str(n_megabatches)),
                    *(series_label(first), series_label(second)),
                    *(_cell(one, measure.decimals) for measure, one in found.items()),
                    str(_count_seeds(found)),
                ]
            )
    return pd.DataFrame(cells, columns=HEADINGS), NOTE, pd.DataFrame(numbers)


def _compare(first: pd.DataFrame, second: pd.DataFrame) -> dict[Measure, Estimate]:
    """Estimate the difference in each measure; return nothing if no seed is in both tables."""
    if not set(first["seed"]) & set(second["seed"]):
        return {}
    first, second = first.set_index("seed"), second.set_index("seed")
    return {measure: paired_difference(first[measure.column], second[measure.column]) for measure in MEASURES}


def _numbers_of(found: dict[Measure, Estimate]) -> dict[str, float]:
    """Return the columns of the estimates; the number of seeds follows those of the first measure."""
    row: dict[str, float] = {}
    for measure, one in found.items():
        for name, value in (("mean", one.mean), ("low", one.low), ("high", one.high), ("p", one.p_value)):
            row[f"{measure.column}_{name}"] = value
        row["seeds"] = one.seeds
    return row


def _count_seeds(found: dict[Measure, Estimate]) -> int:
    return next(iter(found.values())).seeds


def _cell(one: Estimate, decimals: int) -> str:
    text = mean_and_interval(one.mean, one.low, one.high, one.seeds, decimals)
    text = text if text.startswith("−") or round(one.mean, decimals) == 0 else f"+{text}"
    return f"{text} *" if one.seeds >= MIN_SEEDS and (one.low > 0 or one.high < 0) else text
