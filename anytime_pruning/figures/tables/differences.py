"""Paired differences: what changes where one thing does (method, pruner, protocol or a setting), seed by seed."""

import itertools
from collections.abc import Iterator

import pandas as pd

from anytime_pruning.figures.files import STREAM, Series, of_series, ordered_series
from anytime_pruning.figures.seed_statistics import MIN_SEEDS, paired_difference
from anytime_pruning.figures.style import DATASET_LABELS, model_label, series_label
from anytime_pruning.figures.tables.results import mean_and_interval

# Column, heading, decimals.
MEASURES = (
    ("test_acc_pct", "Test accuracy (points)", 2),
    ("cumulative_error_count", "CER (count)", 0),
    ("generalization_gap_pct", "Gap (points)", 2),
    ("clean_gap_pct", "Clean gap (points)", 2),
)
NOTE = (
    "First minus second, paired by seed: mean ± half the width of its 95 % interval (Student's t), with * where the "
    f"interval excludes 0; (lowest to highest seed) where there are fewer than {MIN_SEEDS}. Not corrected for the "
    "number of comparisons. The p-values of two-sided t-tests are in the CSV."
)
COLUMNS = ("mean", "low", "high", "p")


def tabulate(runs: pd.DataFrame) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    """One row for each stream and pair: cells as texts, the note, and the numbers."""
    rows, shown = [], []
    for stream, panel in runs.groupby(STREAM):
        for first, second in choose_pairs(ordered_series(panel)):
            estimates = _compare(of_series(panel, first), of_series(panel, second))
            if not estimates:
                continue
            names = {f"first_{key}": value for key, value in first._asdict().items()}
            names |= {f"second_{key}": value for key, value in second._asdict().items()}
            row = dict(zip(STREAM, stream)) | names
            cells = {
                "Dataset": DATASET_LABELS.get(stream[0], stream[0]),
                "Network": model_label(stream[1]),
                "T": str(stream[2]),
                "First": series_label(first),
                "Second": series_label(second),
            }
            for (column, heading, decimals), one in zip(MEASURES, estimates):
                row |= {
                    f"{column}_{name}": value
                    for name, value in zip(COLUMNS, (one.mean, one.low, one.high, one.p_value))
                }
                row["seeds"] = one.count
                cells[heading] = _cell(one, decimals)
            rows.append(row)
            shown.append(cells | {"Seeds": str(row["seeds"])})
    columns = ["Dataset", "Network", "T", "First", "Second", *(heading for _, heading, _ in MEASURES), "Seeds"]
    return pd.DataFrame(shown, columns=columns), NOTE, pd.DataFrame(rows)


def choose_pairs(series: list[Series]) -> Iterator[tuple[Series, Series]]:
    """The pairs of series that differ in one thing, in the order in which they are shown.

    Methods are all compared with each other, the gradual one first. Of pruners, protocols and variants, the first in
    order (SNIP, the paper's, none) is what the others are compared with. Dense runs have no pruner, so they go with
    any; where they were run by the paper's protocol only, they go with released runs, too.
    """
    for earlier, later in itertools.combinations(series, 2):
        differing = [axis for axis in Series._fields if getattr(earlier, axis) != getattr(later, axis)]
        if earlier.pruner == "none" or later.pruner == "none":
            differing = [axis for axis in differing if axis != "pruner"]
        if differing == ["method"]:
            yield earlier, later
        elif _is_reference(earlier, differing, series) or _is_dense_beside_released(earlier, later, differing, series):
            yield later, earlier


def _is_reference(one: Series, differing: list[str], series: list[Series]) -> bool:
    """Whether one thing differs, and no earlier series differs from this one in that alone."""
    if len(differing) != 1:
        return False
    alike = [other for other in series if other._replace(**{differing[0]: ""}) == one._replace(**{differing[0]: ""})]
    return alike[0] == one


def _is_dense_beside_released(dense: Series, released: Series, differing: list[str], series: list[Series]) -> bool:
    has_own = any(one.protocol == released.protocol and one.method == dense.method for one in series)
    return dense.pruner == "none" and sorted(differing) == ["method", "protocol"] and not has_own


def _compare(first: pd.DataFrame, second: pd.DataFrame) -> list:
    """Estimates of each measure; none if no seed is in both."""
    if not set(first["seed"]) & set(second["seed"]):
        return []
    return [
        paired_difference(first.set_index("seed")[column], second.set_index("seed")[column])
        for column, _, _ in MEASURES
    ]


def _cell(one, decimals: int) -> str:
    text = mean_and_interval(one.mean, one.low, one.high, one.count, decimals)
    text = text if text.startswith("−") or round(one.mean, decimals) == 0 else f"+{text}"
    return f"{text} *" if one.count >= MIN_SEEDS and (one.low > 0 or one.high < 0) else text
