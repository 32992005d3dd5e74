"""The results table: what each series reached on each stream and what remains of the network; and that of few shots."""

import pandas as pd

from anytime_pruning.figures.files import SERIES, STREAM, sort_rows
from anytime_pruning.figures.seed_statistics import MIN_SEEDS, summarize_seeds
from anytime_pruning.figures.style import DATASET_LABELS, METHOD_LABELS, model_label, pruner_label

# Column, heading, decimals.
MEASURES = (
    ("test_acc_pct", "Test accuracy (%)", 2),
    ("cumulative_error_count", "CER (count)", 0),
    ("cumulative_error_rate_pct", "CER (%)", 1),
    ("generalization_gap_pct", "Gap (points)", 2),
    ("clean_gap_pct", "Clean gap (points)", 2),
)
FEW_SHOT_MEASURES = (*MEASURES[:1], *MEASURES[3:], ("density_pct", "Density (%)", 1))
NOTE = (
    "Mean over seeds ± half the width of its 95 % interval (Student's t); (lowest to highest seed) where there are "
    f"fewer than {MIN_SEEDS}. Protocol: paper, or released, the arithmetic of the published code."
)


def tabulate(runs: pd.DataFrame) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    """One row for each stream and series: cells as texts, the note, and the numbers."""
    unprunable = runs["parameter_count"] - runs["prunable_count"]
    runs = runs.assign(
        cumulative_error_rate_pct=100 * runs["cumulative_error_rate"], parameters_kept=runs["kept_count"] + unprunable
    )
    summary = summarize(runs, MEASURES, ["density", "parameters_kept", "parameter_count"])
    shown = render(summary, MEASURES)
    shown["Parameters kept"] = [
        f"{kept:,.0f} ({100 * kept / total:.1f} %)"
        for kept, total in zip(summary["parameters_kept"], summary["parameter_count"])
    ]
    shown["Seeds"] = summary["seeds"].astype(str)
    return shown, NOTE, summary


def tabulate_few_shot(runs: pd.DataFrame) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    """Accuracy, gaps and density on few-shot datasets, as `tabulate`."""
    summary = summarize(runs.assign(density_pct=100 * runs["density"]), FEW_SHOT_MEASURES, [])
    shown = render(summary, FEW_SHOT_MEASURES)
    shown["Seeds"] = summary["seeds"].astype(str)
    return shown, NOTE, summary


def summarize(runs: pd.DataFrame, measures: tuple, constants: list[str]) -> pd.DataFrame:
    """Mean and interval of each measure, and the mean of what hardly varies, one row for each stream and series."""
    keys = [*STREAM, *SERIES]
    summary = summarize_seeds(runs, keys, [column for column, _, _ in measures])
    means = runs.groupby(keys)[constants].mean().reset_index() if constants else runs[keys].drop_duplicates()
    return sort_rows(summary.merge(means, on=keys, validate="one_to_one"))


def name_series(summary: pd.DataFrame) -> pd.DataFrame:
    """The first columns of every table, as texts: what a row is about."""
    shown = pd.DataFrame(
        {
            "Dataset": summary["dataset"].map(lambda name: DATASET_LABELS.get(name, name)),
            "Network": summary["model"].map(model_label),
            "T": summary["n_megabatches"].astype(str),
            "Protocol": summary["protocol"],
            "Method": summary["method"].map(lambda name: METHOD_LABELS.get(name, name)),
            "Pruner": summary["pruner"].map(lambda name: "–" if name == "none" else pruner_label(name)),
        }
    )
    if (summary["variant"] != "").any():
        shown["Variant"] = summary["variant"]
    return shown


def render(summary: pd.DataFrame, measures: tuple) -> pd.DataFrame:
    """The table as people read it: every cell a text."""
    shown = name_series(summary)
    for column, heading, decimals in measures:
        cells = summary[[f"{column}_mean", f"{column}_low", f"{column}_high", "seeds"]].itertuples(index=False)
        shown[heading] = [mean_and_interval(*cell, decimals) for cell in cells]
    return shown


def mean_and_interval(mean: float, low: float, high: float, seeds: int, decimals: int) -> str:
    """`91.00 ± 1.41`, or `91.00 (90.00 to 92.00)` where the interval is a range."""
    if seeds >= MIN_SEEDS:
        return f"{number(mean, decimals)} ± {number(high - mean, decimals)}"
    spread = f" ({number(low, decimals)} to {number(high, decimals)})" if seeds > 1 else ""
    return number(mean, decimals) + spread


def number(value: float, decimals: int) -> str:
    """A number with a true minus sign and thousands apart; what rounds to zero has no sign."""
    return f"{round(value, decimals) + 0.0:,.{decimals}f}".replace("-", "−")
