"""Tabulate paired differences between series that differ in one choice (method, pruner, protocol or a setting)."""

from typing import Any

import pandas as pd

from anytime_pruning.figures.labels import dataset_label, model_label, series_label
from anytime_pruning.figures.seed_statistics import CONFIDENCE, MIN_SEEDS, holm, paired_difference
from anytime_pruning.figures.series import SERIES, STREAM, Series, of_series, ordered_series
from anytime_pruning.figures.tables.cells import CER, CLEAN_GAP, GAP, GAPS_NOTE, Measure, mean_and_interval
from anytime_pruning.figures.tables.pairs import choose_pairs

MEASURES = (
    Measure("test_acc_pct", "Test accuracy (points)", 2),
    CER,
    GAP,
    CLEAN_GAP,
)
LEVEL = 1 - CONFIDENCE
NOTE = (
    "First minus second, paired by seed: mean ± half the width of its 95 % interval (Student's t), which is not "
    f"corrected for the number of comparisons; (lowest to highest seed) where there are fewer than {MIN_SEEDS}. "
    "Seeds whose differences are all equal have neither an interval nor a p-value. "
)
HEADINGS = ["Dataset", "Network", "T", "First", "Second", *(measure.heading for measure in MEASURES), "Seeds"]


def tabulate(runs: pd.DataFrame) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    """Return one row for each stream and pair of series: cells, the note, and the numbers.

    Holm's correction is over all pairs and measures of the table, because a reader sees all its stars at once. The
    chance that any star of the table is false is at most 5 %, however the measures and pairs depend on each other.
    """
    numbers: list[dict[str, Any]] = []
    for _, panel in runs.groupby(STREAM):
        stream = dict(zip(STREAM, panel[STREAM].iloc[0]))
        for first, second in choose_pairs(ordered_series(panel)):
            found = _compare(of_series(panel, first), of_series(panel, second))
            if found:
                numbers.append(stream | _name_sides(first, second) | found)
    summary = _correct(pd.DataFrame(numbers))
    cells = [_cells_of({str(key): value for key, value in row.items()}) for row in summary.to_dict("records")]
    return pd.DataFrame(cells, columns=HEADINGS), NOTE + _star_note(summary), summary


def _name_sides(first: Series, second: Series) -> dict[str, Any]:
    """Return the columns that name both series."""
    sides = {"first": first, "second": second}
    return {f"{side}_{key}": getattr(series, key) for side, series in sides.items() for key in SERIES}


def _compare(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, float]:
    """Return the columns of the difference in each measure, or nothing if no seed is in both tables."""
    if not set(first["seed"]) & set(second["seed"]):
        return {}
    first, second = first.set_index("seed"), second.set_index("seed")
    row: dict[str, float] = {}
    for measure in MEASURES:
        one = paired_difference(first[measure.column], second[measure.column])
        for name, value in (("mean", one.mean), ("low", one.low), ("high", one.high), ("p", one.p_value)):
            row[f"{measure.column}_{name}"] = value
        row["seeds"] = one.seeds
    return row


def _correct(numbers: pd.DataFrame) -> pd.DataFrame:
    """Add Holm's p-value of each measure."""
    if numbers.empty:
        return numbers
    raw = [f"{measure.column}_p" for measure in MEASURES]
    corrected = holm(numbers[raw].to_numpy().ravel()).reshape(-1, len(raw))
    return numbers.assign(**{f"{column}_holm": corrected[:, place] for place, column in enumerate(raw)})


def _star_note(numbers: pd.DataFrame) -> str:
    """Return the text that explains the stars, with the number of comparisons over which they are corrected."""
    raw = [f"{measure.column}_p" for measure in MEASURES]
    tests = 0 if numbers.empty else int(numbers[raw].notna().sum().sum())
    return (
        f"* where the p-value of a two-sided t-test is below {LEVEL:.2f} after Holm's correction over all {tests} "
        "comparisons with a p-value in this table (all pairs and all measures): the chance that any star is false is "
        f"at most {100 * LEVEL:.0f} %. Both p-values are in the CSV. {GAPS_NOTE}"
    )


def _cells_of(row: dict[str, Any]) -> list[str]:
    first, second = (Series(*(row[f"{side}_{key}"] for key in SERIES)) for side in ("first", "second"))
    return [
        *(dataset_label(row["dataset"]), model_label(row["model"]), str(row["n_megabatches"])),
        *(series_label(first), series_label(second)),
        *(_cell(row, measure) for measure in MEASURES),
        str(row["seeds"]),
    ]


def _cell(row: dict[str, Any], measure: Measure) -> str:
    mean, low, high = (row[f"{measure.column}_{part}"] for part in ("mean", "low", "high"))
    text = mean_and_interval(mean, low, high, row["seeds"], measure.decimals)
    text = text if text.startswith("−") or round(mean, measure.decimals) == 0 else f"+{text}"
    return f"{text} *" if row[f"{measure.column}_p_holm"] < LEVEL else text
