"""Write numbers and names as the cells of tables."""

from typing import NamedTuple

import pandas as pd

from anytime_pruning.figures.labels import GAP_NAMES, dataset_label, gap_note, method_label, model_label, pruner_label
from anytime_pruning.figures.seed_statistics import MIN_SEEDS, summarize_seeds
from anytime_pruning.figures.series import SERIES, STREAM, sort_rows

INTERVAL_NOTE = (
    "Mean over seeds ± half the width of its 95 % interval (Student's t); (lowest to highest seed) where there are "
    f"fewer than {MIN_SEEDS}. Seeds that are all equal have no interval."
)


class Measure(NamedTuple):
    """Names a column of numbers.

    Attributes:
        column: the column.
        heading: name of the measure in print, and of the column of its cells.
        decimals: number of decimals of its cells.
        is_cer: whether it counts errors over a whole stream: fewer are better, and a part of the stream has no CER.
    """

    column: str
    heading: str
    decimals: int
    is_cer: bool = False


TEST_ACC = Measure("test_acc_pct", "Test accuracy (%)", 2)
CER = Measure("cumulative_error_count", "CER (count)", 0, is_cer=True)
GAP, CLEAN_GAP = (Measure(column, f"{name} (points)", 2) for column, name in GAP_NAMES.items())
GAPS_NOTE = f"{gap_note(GAP.column, CLEAN_GAP.column)}; at the last epoch of a megabatch."


def summarize(runs: pd.DataFrame, measures: tuple[Measure, ...], constants: list[str]) -> pd.DataFrame:
    """Summarize runs over seeds.

    Args:
        runs: the collected table.
        measures: measures that get a mean and an interval.
        constants: columns that hardly vary over seeds and therefore get only a mean.

    Returns:
        One row for each stream and series, in the order in which series are shown.
    """
    keys = [*STREAM, *SERIES]
    summary = summarize_seeds(runs, keys, [measure.column for measure in measures])
    means = runs.groupby(keys)[constants].mean().reset_index() if constants else runs[keys].drop_duplicates()
    return sort_rows(summary.merge(means, on=keys, validate="one_to_one"))


def name_series(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the first columns of every table, which name the stream and the series of each row."""
    shown = pd.DataFrame(
        {
            "Dataset": summary["dataset"].map(dataset_label),
            "Network": summary["model"].map(model_label),
            "T": summary["n_megabatches"].astype(str),
            "Protocol": summary["protocol"],
            "Method": summary["method"].map(method_label),
            "Pruner": summary["pruner"].map(lambda name: "–" if name == "none" else pruner_label(name)),
        }
    )
    if (summary["variant"] != "").any():
        shown["Variant"] = summary["variant"]
    return shown


def render(summary: pd.DataFrame, measures: tuple[Measure, ...]) -> pd.DataFrame:
    """Return a table with the names of the rows and the cells of the measures."""
    shown = name_series(summary)
    for measure in measures:
        shown[measure.heading] = interval_cells(summary, measure.column, measure.decimals)
    return shown


def interval_cells(summary: pd.DataFrame, column: str, decimals: int) -> list[str]:
    """Return the cells of a column of `summarize_seeds`."""
    columns = (summary[name] for name in (f"{column}_mean", f"{column}_low", f"{column}_high", "seeds"))
    return [mean_and_interval(mean, low, high, seeds, decimals) for mean, low, high, seeds in zip(*columns)]


def mean_and_interval(mean: float, low: float, high: float, seeds: int, decimals: int) -> str:
    """Write `91.00 ± 1.41`.

    An interval that is a range over few seeds is written `91.00 (90.00 to 92.00)`, and seeds without a spread are
    written `91.00 (all 3 seeds equal)`.
    """
    if seeds > 1 and low == high:
        return f"{number(mean, decimals)} (all {seeds} seeds equal)"
    if seeds >= MIN_SEEDS:
        return f"{number(mean, decimals)} ± {number(high - mean, decimals)}"
    spread = f" ({number(low, decimals)} to {number(high, decimals)})" if seeds > 1 else ""
    return number(mean, decimals) + spread


def number(value: float, decimals: int) -> str:
    """Write a number with a true minus sign and commas between thousands; a rounded zero has no sign."""
    return f"{round(value, decimals) + 0.0:,.{decimals}f}".replace("-", "−")
