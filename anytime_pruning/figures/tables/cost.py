"""Tabulate what training executed and how long it took on which hardware, and then what pruning left."""

import pandas as pd

from anytime_pruning.figures.budget.spending import unit_of
from anytime_pruning.figures.seed_statistics import summarize_seeds
from anytime_pruning.figures.series import SERIES, STREAM, sort_rows
from anytime_pruning.figures.tables.cells import INTERVAL_NOTE, Measure, interval_cells, name_series

MEANS = [
    *("train_macs", "train_macs_kept", "kept_count", "prunable_count"),
    *("parameters_kept", "parameter_count", "flops_kept", "flops_count", "sparse_bytes", "dense_bytes"),
]
TIMES = (
    Measure("train_s", "Training (s)", 0),
    Measure("train_samples_per_s", "Samples/s", 0),
    Measure("prune_s", "Pruning (s)", 1),
    Measure("stream_s", "Whole stream (s)", 0),
)
NOTE = (
    "Executed: the multiply-accumulates (MACs) of all training passes, as they were computed here. Dense kernels "
    "multiply by zeros, too, so pruning saves none of them. Where series executed the same, their seconds differ by "
    "what else the machine did, and show no speed-up. Samples/s are those of training passes alone. The columns after "
    "the seconds say what is left, and nothing about speed: MACs of training with kept weights alone, parameters at "
    "the end, FLOPs of one image through convolutions and linear layers (two for each MAC), and the sparse file beside "
    "the dense one. –: not pruned, so nothing is saved; of seconds, the runs were computed on different machines, "
    f"whose mean would mean nothing. {INTERVAL_NOTE}"
)


def tabulate(runs: pd.DataFrame) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    """Return one row for each stream and series: cells, the note, and the numbers."""
    keys = [*STREAM, *SERIES]
    runs = runs.assign(
        parameters_kept=runs["kept_count"] + runs["parameter_count"] - runs["prunable_count"],
        flops_kept=2 * runs["macs_kept"],
        flops_count=2 * runs["macs_count"],
    )
    groups = runs.groupby(keys)
    summary = groups[MEANS].mean()
    summary["machines"] = groups["device"].nunique()
    for column in ("device", "precision"):
        summary[column] = groups[column].agg(lambda names: "; ".join(sorted(set(names))))
    times = summarize_seeds(runs, keys, [measure.column for measure in TIMES])
    summary = sort_rows(summary.reset_index().merge(times, on=keys, validate="one_to_one"))
    return _render(summary), NOTE, summary


def _render(summary: pd.DataFrame) -> pd.DataFrame:
    shown = name_series(summary)
    shown["Executed (MACs)"] = _macs(summary["train_macs"], summary["train_macs"].max())
    shown["Computed on"] = summary["device"] + ", " + summary["precision"]
    for measure in TIMES:
        shown[measure.heading] = interval_cells(summary, measure.column, measure.decimals)
    shown.loc[summary["machines"] > 1, [measure.heading for measure in TIMES]] = "–"
    shown["Kept weights alone (MACs)"] = _macs(summary["train_macs_kept"], summary["train_macs"].max())
    for heading, left, total, unit in (
        ("Parameters left", "parameters_kept", "parameter_count", (1e3, "k", 1)),
        ("FLOPs left", "flops_kept", "flops_count", (1e6, "M", 1)),
        ("Sparse file", "sparse_bytes", "dense_bytes", (1e6, "MB", 2)),
    ):
        shown[heading] = [_share(kept, whole, unit) for kept, whole in zip(summary[left], summary[total])]
    is_dense = summary["kept_count"] == summary["prunable_count"]
    shown.loc[is_dense, ["Kept weights alone (MACs)", "Parameters left", "FLOPs left", "Sparse file"]] = "–"
    return shown.assign(Seeds=summary["seeds"].astype(str))


def _macs(column: "pd.Series[float]", largest: float) -> list[str]:
    """Write `24.6·10¹²`, in the unit of the largest number."""
    unit, name = unit_of(largest)
    return [f"{value / unit:,.1f}{'·' if name else ''}{name}" for value in column]


def _share(kept: float, total: float, unit: tuple[float, str, int]) -> str:
    """Write `100.1 of 269.7 k (37.1 %)`.

    Args:
        kept: what is left.
        total: what there was.
        unit: size and name of the unit, and number of decimals.
    """
    size, name, decimals = unit
    return f"{kept / size:,.{decimals}f} of {total / size:,.{decimals}f} {name} ({100 * kept / total:.1f} %)"
