"""Training dynamics over the whole stream: accuracy, gap and loss at every epoch, with the borders of megabatches."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from anytime_pruning.figures.files import SERIES, STREAM, Series, of_series
from anytime_pruning.figures.seed_statistics import summarize_seeds
from anytime_pruning.figures.style import (
    WIDTH,
    add_legend,
    caption,
    color_of,
    describe,
    fill_interval,
    pruner_columns,
    pruner_label,
    series_label,
    set_title,
)

# Panel label, then (column, line style) of what it shows.
PANELS = {
    "Accuracy (%)": [("train_acc_running_pct", "-"), ("valid_acc_pct", ":")],
    "Train − validation\n(percentage points)": [("gap_pct", "-")],
    "Cross-entropy\n(log scale)": [("train_loss", "-"), ("valid_loss", ":")],
}
# More pruners go into further blocks of panels.
MAX_COLUMNS = 3
# Of a longer stream only the last epoch of each megabatch is drawn: its rise within each would blacken the panel.
LONGEST_WITH_EPOCHS = 30


def summarize(epochs: pd.DataFrame) -> pd.DataFrame:
    """Mean and interval over seeds of every column at every epoch, counted through the stream."""
    epochs = epochs.assign(
        gap_pct=epochs["train_acc_running_pct"] - epochs["valid_acc_pct"],
        stream_epoch=(epochs["t"] - 1) * epochs["epoch"].max() + epochs["epoch"],
    )
    columns = [column for panel in PANELS.values() for column, _ in panel]
    return summarize_seeds(epochs, [*STREAM, *SERIES, "t", "epoch", "stream_epoch"], columns)


def draw(epochs: pd.DataFrame) -> tuple[plt.Figure, pd.DataFrame]:
    """Columns are pruners (methods that never prune appear in each), rows quantities."""
    summary = summarize(epochs)
    drawn, note = _choose_epochs(summary)
    columns = pruner_columns(epochs)
    width = min(MAX_COLUMNS, len(columns))
    blocks = -(-len(columns) // width)
    figure, axes = plt.subplots(
        len(PANELS) * blocks,
        width,
        figsize=(WIDTH, 4.1 * blocks + 0.7),
        squeeze=False,
        sharex=True,
        layout="constrained",
    )
    for place, ((pruner, variant), shown) in enumerate(columns.items()):
        block, column = divmod(place, width)
        rows = axes[block * len(PANELS) : (block + 1) * len(PANELS)]
        for kind, (row, (label, curves)) in enumerate(zip(rows, PANELS.items())):
            for one in shown:
                _draw_curves(row[column], of_series(drawn, one), one, curves)
            _mark_borders(row[column], summary, is_top=kind == 0)
            row[column].set_ylabel("" if column else label)
        title = pruner_label(pruner) + (f" [{variant}]" if variant else "")
        rows[0][column].set_title(title, pad=14 if _names_fit(summary, width) else 6)
        rows[-1][column].set_xlabel("Epoch, counted through the stream" if width < 3 else "Epoch of the stream")
        rows[-1][column].tick_params(labelbottom=True)
    for spare in axes.T[(len(columns) - 1) % width + 1 :]:
        for axis in spare[-len(PANELS) :]:
            axis.set_visible(False)
    _match_scales(axes, drawn)
    _add_legend(figure, columns)
    figure.align_ylabels()
    set_title(figure, describe(epochs), f"{caption(epochs, 'bands')}; {note}")
    return figure, summary


def _choose_epochs(summary: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rows that are drawn, and what the caption says about them."""
    if summary["t"].max() <= LONGEST_WITH_EPOCHS:
        return summary, "grey lines: borders of megabatches"
    return summary[summary["epoch"] == summary["epoch"].max()], "only the last epoch of each megabatch"


def _draw_curves(axis, table: pd.DataFrame, one: Series, curves: list[tuple[str, str]]) -> None:
    color = color_of(one.method, one.protocol)
    for column, style in curves:
        marker = "." if len(table) <= 10 else None
        width = 1.3 if len(table) <= 100 else 0.9
        axis.plot(table["stream_epoch"], table[f"{column}_mean"], style, color=color, marker=marker, linewidth=width)
        fill_interval(axis, table, "stream_epoch", column, color)


def _match_scales(axes, drawn: pd.DataFrame) -> None:
    """One quantity has one scale in all panels, which is logarithmic for the loss.

    Validation loss spikes by orders of magnitude while batch norm has seen few batches. An interval may reach below
    zero: the scale covers the means.
    """
    for kind, curves in enumerate(PANELS.values()):
        panels = [axis for row in axes[kind :: len(PANELS)] for axis in row if axis.get_visible()]
        if "loss" in curves[0][0]:
            means = drawn[[f"{column}_mean" for column, _ in curves]].to_numpy()
            low, high = means.min() / 1.3, means.max() * 1.3
            for axis in panels:
                axis.set_yscale("log")
                # Over less than a decade, more than its powers are named.
                axis.yaxis.set_major_locator(LogLocator(subs=(1,) if high / low > 10 else (1, 1.5, 2, 3, 5, 7)))
                axis.yaxis.set_major_formatter("{x:g}")
                axis.yaxis.set_minor_formatter(NullFormatter())
        else:
            limits = [axis.get_ylim() for axis in panels]
            low, high = min(limit[0] for limit in limits), max(limit[1] for limit in limits)
        for axis in panels:
            axis.set_ylim(low, high)
            axis.tick_params(labelleft=axis.get_subplotspec().is_first_col())


def _names_fit(summary: pd.DataFrame, width: int) -> bool:
    return summary["t"].max() * width <= 26


def _mark_borders(axis, summary: pd.DataFrame, is_top: bool) -> None:
    """A line before the first epoch of each megabatch; its number above the panel where there is room."""
    axis.grid(axis="x", visible=False)
    axis.set_xlim(0.5, summary["stream_epoch"].max() + 0.5)
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    spans = summary.groupby("t")["stream_epoch"].agg(["min", "max"])
    if len(spans) > LONGEST_WITH_EPOCHS:
        return
    names_fit = _names_fit(summary, axis.get_subplotspec().get_gridspec().ncols)
    for t, (first, last) in spans.iterrows():
        if t > 1:
            axis.axvline(first - 0.5, color="#BBBBBB", linewidth=0.7, zorder=0)
        if is_top and names_fit:
            axis.annotate(
                f"$M_{{{t}}}$", ((first + last) / 2, 1.03), xycoords=("data", "axes fraction"), ha="center", fontsize=7
            )


def _add_legend(figure: plt.Figure, columns: dict) -> None:
    """Colours are methods and protocols, as pruners have columns of their own."""
    methods = dict.fromkeys((one.protocol, one.method) for shown in columns.values() for one in shown)
    handles = [Line2D([], [], color=color_of(method, protocol)) for protocol, method in methods]
    labels = [series_label(Series(protocol, method, "none")) for protocol, method in methods]
    handles += [Line2D([], [], color="#222222", linestyle=style) for style in "-:"]
    labels += ["train (running, augmented)", "validation (eval mode)"]
    add_legend(figure, handles, labels)
