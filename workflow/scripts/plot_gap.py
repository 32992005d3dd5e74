"""Generalization gap against the index of the megabatch, as the released code measures it and in eval mode."""

import matplotlib.pyplot as plt
import pandas as pd
from figure_style import (
    SERIES,
    WIDTH,
    aggregate,
    color_of,
    dash_of,
    describe,
    face_of,
    figure_options,
    fill_range,
    marker_of,
    of_series,
    ordered_series,
    read_table,
    save_figure,
    seeds_note,
    series_label,
    set_style,
)
from matplotlib.ticker import MaxNLocator

GAPS = {
    "generalization_gap_pct": "Running train −\naugmented validation\n(percentage points)",
    "clean_gap_pct": "Train − validation,\neval mode, as they are\n(percentage points)",
}


def summarize(megabatches: pd.DataFrame) -> pd.DataFrame:
    """Mean and range over seeds of both gaps at each megabatch."""
    return aggregate(megabatches, ["n_megabatches", *SERIES, "t"], list(GAPS))


def draw(megabatches: pd.DataFrame, title: str) -> tuple[plt.Figure, pd.DataFrame]:
    """Columns are T, rows the two ways to measure the gap, lines methods and pruners; bands span the seeds."""
    summary = summarize(megabatches)
    lengths, series = sorted(summary["n_megabatches"].unique()), ordered_series(megabatches)
    figure, axes = plt.subplots(
        len(GAPS), len(lengths), figsize=(WIDTH, 4.3), squeeze=False, sharex="col", sharey="row", layout="constrained"
    )
    for column, length in zip(axes.T, lengths):
        panel = summary[summary["n_megabatches"] == length]
        for axis, (gap, label) in zip(column, GAPS.items()):
            for one in series:
                _draw_series(axis, of_series(panel, one), one, gap)
            axis.axhline(0, color="#888888", linewidth=0.8, zorder=0)
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            axis.set_ylabel(label if axis in axes[:, 0] else "")
        column[0].set_title(f"T = {length}")
        column[-1].set_xlabel("Megabatch index t")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    figure.align_ylabels()
    figure.suptitle(f"{title} — mean of {seeds_note(megabatches)}, band: their range", fontsize=8)
    return figure, summary


def _draw_series(axis, table: pd.DataFrame, series: tuple[str, str, str], gap: str) -> None:
    method, pruner, _ = series
    axis.plot(
        table["t"],
        table[f"{gap}_mean"],
        marker=marker_of(method) if len(table) <= 20 else None,
        color=color_of(method),
        linestyle=dash_of(pruner),
        markerfacecolor=face_of(method, pruner),
        markersize=4,
        label=series_label(*series),
    )
    fill_range(axis, table, "t", gap, color_of(method))


def main() -> None:
    """Read the table that the command line names and write what is drawn from it."""
    options = figure_options(__doc__, "dataset", "model")
    where = {"dataset": options.dataset, "model": options.model}
    set_style()
    save_figure(*draw(read_table(options.table, **where), describe(**where)), options.stem)


if __name__ == "__main__":
    main()
