"""The cost table: parameters, multiply-adds and bytes that remain, and the time that training took."""

import pandas as pd

from anytime_pruning.figures.files import SERIES, STREAM, sort_rows
from anytime_pruning.figures.tables.results import name_series

MEANS = [
    *("parameters_kept", "parameter_count", "flops_kept", "flops_count", "sparse_bytes", "dense_bytes"),
    *("train_s", "prune_s", "stream_s", "train_samples_per_s"),
]
NOTE = (
    "FLOPs: of one image through convolutions and linear layers, two for each multiply-accumulate with a weight that "
    "is kept. They are what remains to be computed, not a speed: dense hardware gains nothing from scattered zeros. "
    "File: the compact sparse file against the dense one. Means over seeds; seconds and samples/s, which are those of "
    "the training passes, on the device named."
)


def tabulate(runs: pd.DataFrame) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    """One row for each stream and series: cells as texts, the note, and the numbers."""
    keys = [*STREAM, *SERIES]
    runs = runs.assign(
        parameters_kept=runs["kept_count"] + runs["parameter_count"] - runs["prunable_count"],
        flops_kept=2 * runs["macs_kept"],
        flops_count=2 * runs["macs_count"],
    )
    groups = runs.groupby(keys)
    summary = groups[MEANS].mean()
    summary["seeds"] = groups["seed"].nunique()
    for column in ("device", "precision"):
        summary[column] = groups[column].agg(lambda names: "; ".join(sorted(set(names))))
    summary = sort_rows(summary.reset_index())
    return render(summary), NOTE, summary


def render(summary: pd.DataFrame) -> pd.DataFrame:
    """The table as people read it: every cell a text."""
    shown = name_series(summary)
    shown["Parameters kept"] = [
        _share(*pair, 1e3, "k") for pair in zip(summary["parameters_kept"], summary["parameter_count"])
    ]
    shown["FLOPs kept"] = [_share(*pair, 1e6, "M") for pair in zip(summary["flops_kept"], summary["flops_count"])]
    shown["File"] = [_share(*pair, 1e6, "MB", 2) for pair in zip(summary["sparse_bytes"], summary["dense_bytes"])]
    for column, heading, decimals in (
        ("train_s", "Training (s)", 0),
        ("prune_s", "Pruning (s)", 1),
        ("stream_s", "Whole stream (s)", 0),
        ("train_samples_per_s", "Samples/s", 0),
    ):
        shown[heading] = [f"{value:,.{decimals}f}" for value in summary[column]]
    return shown.assign(Device=summary["device"], Precision=summary["precision"], Seeds=summary["seeds"].astype(str))


def _share(kept: float, total: float, unit: float, name: str, decimals: int = 1) -> str:
    """`100.1 of 269.7 k (37.1 %)`."""
    return f"{kept / unit:,.{decimals}f} of {total / unit:,.{decimals}f} {name} ({100 * kept / total:.1f} %)"
