"""Draw training dynamics: accuracy and loss at every epoch of a stream, the gap at the last epoch of each megabatch.

The gap is the one of the tables. Its validation images are augmented, and it is measured only at a megabatch's last
epoch, so it is not the distance between the two accuracies that are drawn above it.
"""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from anytime_pruning.figures.labels import GAP_NAMES, caption, describe, gap_note, pruner_label, series_label
from anytime_pruning.figures.plots.parts.grid import PanelGrid, make_grid
from anytime_pruning.figures.seed_statistics import summarize_seeds
from anytime_pruning.figures.series import SERIES, STREAM, Series, of_series, ordered_series
from anytime_pruning.figures.style import Dash, add_legend, color_of, fill_interval, set_title

TRAIN: Dash = "-"
VALIDATION: Dash = ":"
GAP = "generalization_gap_pct"
# The keys are the labels of panels, and the values are the columns of each panel with their line styles.
PANELS: dict[str, dict[str, Dash]] = {
    "Accuracy (%)": {"train_acc_running_pct": TRAIN, "valid_acc_pct": VALIDATION},
    f"{GAP_NAMES[GAP]}\n(percentage points)": {GAP: TRAIN},
    "Cross-entropy\n(log scale)": {"train_loss": TRAIN, "valid_loss": VALIDATION},
}
MAX_COLUMNS = 3
# On a longer stream, only the last epoch of each megabatch is drawn, because too many epochs would fill the panel.
LONGEST_WITH_EPOCHS = 30
# One row of panels has space for this number of megabatch names at their font size.
MAX_NAMES = 26


def summarize(epochs: pd.DataFrame, megabatches: pd.DataFrame) -> pd.DataFrame:
    """Return the mean and interval over seeds of every column at every epoch, counted through the stream.

    The gap has numbers only at the last epoch of each megabatch.
    """
    keys, last_epoch = [*STREAM, *SERIES, "t"], epochs["epoch"].max()
    epochs = epochs.assign(stream_epoch=(epochs["t"] - 1) * last_epoch + epochs["epoch"])
    columns = [column for curves in PANELS.values() for column in curves if column != GAP]
    summary = summarize_seeds(epochs, [*keys, "epoch", "stream_epoch"], columns)
    gaps = summarize_seeds(megabatches, keys, [GAP]).drop(columns="seeds").assign(epoch=last_epoch)
    return summary.merge(gaps, on=[*keys, "epoch"], how="left", validate="one_to_one")


def draw(epochs: pd.DataFrame, megabatches: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Draw a row for each quantity and a column for each pruner; every column also shows methods that never prune."""
    summary = summarize(epochs, megabatches)
    drawn, note = _choose_epochs(summary)
    columns = pruner_columns(epochs)
    grid = make_grid(len(columns), len(PANELS), MAX_COLUMNS, (4.1, 0.7), sharex=True)
    names_fit = summary["t"].max() * grid.width <= MAX_NAMES
    for number, ((pruner, variant), series) in enumerate(columns.items()):
        panels = grid.column(number)
        for axis, (label, curves) in zip(panels, PANELS.items()):
            for one in series:
                _draw_curves(axis, of_series(drawn, one), one, curves)
            _mark_borders(axis, summary, has_names=axis is panels[0] and names_fit)
            axis.set_ylabel(label if grid.is_leftmost(number) else "")
        title = pruner_label(pruner) + (f" [{variant}]" if variant else "")
        panels[0].set_title(title, pad=14 if names_fit else 6)
        panels[-1].set_xlabel(
            "Epoch, counted through the stream" if grid.width < MAX_COLUMNS else "Epoch of the stream"
        )
        panels[-1].tick_params(labelbottom=True)
    _match_scales(grid, drawn)
    _add_legend(grid.figure, [one for series in columns.values() for one in series])
    grid.figure.align_ylabels()
    set_title(
        grid.figure,
        describe(epochs),
        f"{caption(epochs, 'bands')}; {note}",
        f"{gap_note(GAP)}, at the last epoch of each megabatch",
    )
    return grid.figure, summary


def pruner_columns(table: pd.DataFrame) -> dict[tuple[str, str], list[Series]]:
    """Return the series for each pruner and variant; methods that never prune appear with each of them."""
    series = ordered_series(table)
    pruned = [(one.pruner, one.variant) for one in series if one.pruner != "none"]
    return {
        (pruner, variant): [one for one in series if one.pruner in (pruner, "none") and one.variant in (variant, "")]
        for pruner, variant in dict.fromkeys(pruned or [("none", "")])
    }


def _choose_epochs(summary: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the rows to draw, and the words about these rows in the title."""
    if summary["t"].max() <= LONGEST_WITH_EPOCHS:
        return summary, "grey lines: borders of megabatches"
    return summary[summary["epoch"] == summary["epoch"].max()], "only the last epoch of each megabatch"


def _draw_curves(axis: Axes, table: pd.DataFrame, series: Series, curves: dict[str, Dash]) -> None:
    color = color_of(series.method, series.protocol)
    for column, dash in curves.items():
        known = table[table[f"{column}_mean"].notna()]
        marker = "." if len(known) <= 10 else None
        width = 1.3 if len(known) <= 100 else 0.9
        epochs, means = known["stream_epoch"], known[f"{column}_mean"]
        axis.plot(epochs, means, linestyle=dash, color=color, marker=marker, linewidth=width)
        fill_interval(axis, known, "stream_epoch", column, color)


def _mark_borders(axis: Axes, summary: pd.DataFrame, has_names: bool) -> None:
    """Draw a line before the first epoch of each megabatch and, if `has_names`, the megabatch's name above it."""
    axis.grid(axis="x", visible=False)
    axis.set_xlim(0.5, summary["stream_epoch"].max() + 0.5)
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    spans = summary.groupby("t")["stream_epoch"].agg(["min", "max"])
    if len(spans) > LONGEST_WITH_EPOCHS:
        return
    for t, first, last in spans.itertuples(name=None):
        if t > 1:
            axis.axvline(first - 0.5, color="#BBBBBB", linewidth=0.7, zorder=0)
        if has_names:
            place = ((first + last) / 2, 1.03)
            axis.annotate(f"$M_{{{t}}}$", place, xycoords=("data", "axes fraction"), ha="center", fontsize=7)


def _match_scales(grid: PanelGrid, drawn: pd.DataFrame) -> None:
    """Give each quantity the same scale in all panels, which is logarithmic for the loss.

    The validation loss is larger by orders of magnitude as long as batch norm has seen few batches. An interval may
    reach below zero, so the scale of the loss covers only the means.
    """
    for number, curves in enumerate(PANELS.values()):
        panels = grid.row(number)
        if "train_loss" in curves:
            means = drawn[[f"{column}_mean" for column in curves]].to_numpy()
            low, high = means.min() / 1.3, means.max() * 1.3
            _set_log_scale(panels, is_wide=high / low > 10)
        else:
            limits = [axis.get_ylim() for axis in panels]
            low, high = min(limit[0] for limit in limits), max(limit[1] for limit in limits)
        for column, axis in enumerate(panels):
            axis.set_ylim(low, high)
            axis.tick_params(labelleft=grid.is_leftmost(column))


def _set_log_scale(panels: Sequence[Axes], is_wide: bool) -> None:
    for axis in panels:
        axis.set_yscale("log")
        # A range of one decade has too few powers of ten for reading a value, so further marks are needed.
        axis.yaxis.set_major_locator(LogLocator(subs=(1,) if is_wide else (1, 1.5, 2, 3, 5, 7)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter(NullFormatter())


def _add_legend(figure: Figure, series: Sequence[Series]) -> None:
    """Explain the colours of methods and protocols, and the line styles; pruners have separate columns."""
    methods = list(dict.fromkeys(Series(one.protocol, one.method, "none") for one in series))
    handles = [Line2D([], [], color=color_of(one.method, one.protocol)) for one in methods]
    handles += [Line2D([], [], color="#222222", linestyle=dash) for dash in (TRAIN, VALIDATION)]
    labels = [*map(series_label, methods), "train (running, augmented)", "validation (eval mode)"]
    add_legend(figure, handles, labels)
