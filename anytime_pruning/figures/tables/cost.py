"""Tabulate the parameters, operations and bytes that remain, and the time that training took."""

import pandas as pd

from anytime_pruning.figures.series import SERIES, STREAM, sort_rows
from anytime_pruning.figures.tables.cells import Measure, name_series

MEANS = [
    *("parameters_kept", "parameter_count", "flops_kept", "flops_count", "sparse_bytes", "dense_bytes"),
    *("train_s", "prune_s", "stream_s", "train_samples_per_s"),
]
TIMES = (
    Measure("train_s", "Training (s)", 0),
    Measure("prune_s", "Pruning (s)", 1),
    Measure("stream_s", "Whole stream (s)", 0),
    Measure("train_samples_per_s", "Samples/s", 0),
)
NOTE = (
    "FLOPs are those of one image through convolutions and linear layers, two for each multiply-accumulate with a "
    "weight that is kept. They say what remains to be computed and are not a speed: dense hardware gains nothing from "
    "scattered zeros. File compares the sparse file with the dense one. All numbers are means over seeds. "
    "Seconds and samples/s were measured on the device that the row names, samples/s during training passes only."
)


def tabulate(runs: pd.DataFrame) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    """Return one row for each stream and series: cells, the note, and the numbers."""
    runs = runs.assign(
        parameters_kept=runs["kept_count"] + runs["parameter_count"] - runs["prunable_count"],
        flops_kept=2 * runs["macs_kept"],
        flops_count=2 * runs["macs_count"],
    )
    groups = runs.groupby([*STREAM, *SERIES])
    summary = groups[MEANS].mean()
    summary["seeds"] = groups["seed"].nunique()
    for column in ("device", "precision"):
        summary[column] = groups[column].agg(lambda names: "; ".join(sorted(set(names))))
    summary = sort_rows(summary.reset_index())
    return _render(summary), NOTE, summary


def _render(summary: pd.DataFrame) -> pd.DataFrame:
    shown = name_series(summary)
    shown["Parameters kept"] = [
        _share(*pair, 1e3, "k") for pair in zip(summary["parameters_kept"], summary["parameter_count"])
    ]
    shown["FLOPs kept"] = [_share(*pair, 1e6, "M") for pair in zip(summary["flops_kept"], summary["flops_count"])]
    shown["File"] = [_share(*pair, 1e6, "MB", 2) for pair in zip(summary["sparse_bytes"], summary["dense_bytes"])]
    for measure in TIMES:
        shown[measure.heading] = [f"{value:,.{measure.decimals}f}" for value in summary[measure.column]]
    return shown.assign(Device=summary["device"], Precision=summary["precision"], Seeds=summary["seeds"].astype(str))


def _share(kept: float, total: float, unit: float, name: str, decimals: int = 1) -> str:
    """Write `100.1 of 269.7 k (37.1 %)`."""
    return f"{kept / unit:,.{decimals}f} of {total / unit:,.{decimals}f} {name} ({100 * kept / total:.1f} %)"
