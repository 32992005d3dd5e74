"""Training dynamics over the whole stream: accuracy, gap and loss at every epoch, with the borders of megabatches."""

import matplotlib.pyplot as plt
import pandas as pd
from figure_style import (
    PRUNER_LABELS,
    SERIES,
    WIDTH,
    aggregate,
    color_of,
    describe,
    figure_options,
    fill_range,
    of_series,
    ordered_series,
    read_table,
    save_figure,
    seeds_note,
    series_label,
    set_style,
)
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter

# Panel label, then (column, line style) of what it shows.
PANELS = {
    "Accuracy (%)": [("train_acc_running_pct", "-"), ("valid_acc_pct", ":")],
    "Train − validation\n(percentage points)": [("gap_pct", "-")],
    "Cross-entropy\n(log scale)": [("train_loss", "-"), ("valid_loss", ":")],
}


def summarize(epochs: pd.DataFrame) -> pd.DataFrame:
    """Mean and range over seeds of every column at every epoch, counted through the stream."""
    epochs = epochs.assign(
        gap_pct=epochs["train_acc_running_pct"] - epochs["valid_acc_pct"],
        stream_epoch=(epochs["t"] - 1) * epochs["epoch"].max() + epochs["epoch"],
    )
    columns = [column for panel in PANELS.values() for column, _ in panel]
    return aggregate(epochs, [*SERIES, "t", "epoch", "stream_epoch"], columns)


def draw(epochs: pd.DataFrame, title: str) -> tuple[plt.Figure, pd.DataFrame]:
    """Columns are pruners (methods that never prune appear in each), rows quantities; bands span the seeds."""
    summary = summarize(epochs)
    series = ordered_series(epochs)
    pruners = list(dict.fromkeys(pruner for _, pruner, _ in series if pruner != "none")) or ["none"]
    figure, axes = plt.subplots(
        len(PANELS),
        len(pruners),
        figsize=(WIDTH, 5.4),
        squeeze=False,
        sharex=True,
        sharey="row",
        layout="constrained",
    )
    for column, pruner in zip(axes.T, pruners):
        shown = [one for one in series if one[1] in (pruner, "none")]
        for axis, (label, curves) in zip(column, PANELS.items()):
            for one in shown:
                _draw_curves(axis, of_series(summary, one), one, curves)
            _mark_borders(axis, summary)
            if "loss" in curves[0][0]:
                _set_log_scale(axis)
            axis.set_ylabel(label if axis in axes[:, 0] else "")
        column[0].set_title(PRUNER_LABELS.get(pruner, pruner) if pruner != "none" else "not pruned", pad=16)
        column[-1].set_xlabel("Epoch (counted through the stream)")
    methods = list(dict.fromkeys((method, variant) for method, _, variant in series))
    handles = [Line2D([], [], color=color_of(m), label=series_label(m, "none", v)) for m, v in methods]
    handles += [
        Line2D([], [], color="#222222", linestyle="-", label="train (running, augmented)"),
        Line2D([], [], color="#222222", linestyle=":", label="validation (eval mode)"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    figure.align_ylabels()
    figure.suptitle(
        f"{title} — mean of {seeds_note(epochs)}, band: their range; grey lines: megabatch borders",
        fontsize=8,
    )
    return figure, summary


def _draw_curves(axis, table: pd.DataFrame, series: tuple[str, str, str], curves: list[tuple[str, str]]) -> None:
    color = color_of(series[0])
    for column, style in curves:
        marker = "." if len(table) <= 10 else None
        axis.plot(table["stream_epoch"], table[f"{column}_mean"], style, color=color, marker=marker)
        fill_range(axis, table, "stream_epoch", column, color)


def _set_log_scale(axis) -> None:
    """Validation loss spikes by orders of magnitude while batch norm has seen few batches. Ticks are plain numbers."""
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter("{x:g}")
    low, high = axis.get_ylim()
    axis.yaxis.set_minor_formatter("{x:g}" if high / low < 10 else NullFormatter())


def _mark_borders(axis, summary: pd.DataFrame) -> None:
    """A line before the first epoch of each megabatch; its number above the panel where there is room."""
    axis.grid(axis="x", visible=False)
    spans = summary.groupby("t")["stream_epoch"].agg(["min", "max"])
    for t, (first, last) in spans.iterrows():
        if t > 1:
            axis.axvline(first - 0.5, color="#BBBBBB", linewidth=0.7, zorder=0)
        if axis.get_subplotspec().is_first_row() and len(spans) <= 12:
            axis.annotate(
                f"$M_{{{t}}}$", ((first + last) / 2, 1.03), xycoords=("data", "axes fraction"), ha="center", fontsize=7
            )
    axis.set_xlim(0.5, summary["stream_epoch"].max() + 0.5)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))


def main() -> None:
    """Read the table that the command line names and write what is drawn from it."""
    options = figure_options(__doc__, "dataset", "model", "n_megabatches")
    where = {"dataset": options.dataset, "model": options.model, "n_megabatches": options.n_megabatches}
    set_style()
    save_figure(*draw(read_table(options.table, **where), describe(**where)), options.stem)


if __name__ == "__main__":
    main()
