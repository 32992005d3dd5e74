"""Draw training dynamics: accuracy and loss at every epoch of a stream, the gap at the last epoch of each megabatch.

The gap is the one of the tables. Its validation images are augmented, and it is measured only at a megabatch's last
epoch, so it is not the distance between the two accuracies that are drawn above it.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from anytime_pruning.figures.fast_seaborn import sns
from anytime_pruning.figures.labels import GAP_NAMES, caption, describe, gap_note, pruner_label, series_label
from anytime_pruning.figures.plots.parts.grid import make_grid
from anytime_pruning.figures.plots.parts.groups import group_series
from anytime_pruning.figures.plots.parts.lines import range_of
from anytime_pruning.figures.seed_statistics import summarize_seeds
from anytime_pruning.figures.series import SERIES, STREAM, Series, of_series, ordered_series
from anytime_pruning.figures.style import Dash, add_legend, color_of, set_title

TRAIN: Dash = "-"
VALIDATION: Dash = ":"
LOSS = "Cross-entropy\n(log scale)"
GAP, LOSSES = "generalization_gap_pct", ["train_loss", "valid_loss"]
# The keys are the labels of panels, and the values are the columns of each panel with their line styles.
PANELS: dict[str, dict[str, Dash]] = {
    "Accuracy (%)": {"train_acc_running_pct": TRAIN, "valid_acc_pct": VALIDATION},
    f"{GAP_NAMES[GAP]}\n(percentage points)": {GAP: TRAIN},
    LOSS: dict(zip(LOSSES, (TRAIN, VALIDATION))),
}
MAX_COLUMNS = 3
# On a longer stream, only the last epoch of each megabatch is drawn, because too many epochs would fill the panel.
LONGEST_WITH_EPOCHS = 30
# One row of panels has space for this number of megabatch names, and of numbers of epochs, at their font size.
MAX_NAMES, MAX_NUMBERS = 26, 15
BORDER = "#BBBBBB"


def summarize(epochs: pd.DataFrame, megabatches: pd.DataFrame) -> pd.DataFrame:
    """Return the mean and interval over seeds of every column at every epoch, counted through the stream.

    The gap has numbers only at the last epoch of each megabatch.
    """
    keys, last_epoch = [*STREAM, *SERIES, "t"], epochs["epoch"].max()
    columns = [column for curves in PANELS.values() for column in curves if column != GAP]
    summary = summarize_seeds(_count_epochs(epochs), [*keys, "epoch", "stream_epoch"], columns)
    gaps = summarize_seeds(megabatches, keys, [GAP]).drop(columns="seeds").assign(epoch=last_epoch)
    return summary.merge(gaps, on=[*keys, "epoch"], how="left", validate="one_to_one")


def draw(epochs: pd.DataFrame, megabatches: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Draw a row for each quantity and a column for each protocol and pruner, with the dense baseline in each."""
    summary = summarize(epochs, megabatches)
    n_megabatches, last_epoch = int(epochs["t"].max()), int(epochs["epoch"].max())
    is_whole = n_megabatches <= LONGEST_WITH_EPOCHS
    shown = summary if is_whole else summary[summary["epoch"] == last_epoch]
    drawn, limits = _leave_out_large_losses(shown)
    groups = group_series(ordered_series(epochs), always=("protocol", "pruner", "variant"))
    grid = make_grid(len(groups), len(PANELS), MAX_COLUMNS, (4.1, 0.7), sharex=True)
    names_fit = is_whole and n_megabatches * grid.width <= MAX_NAMES
    for number, (_, series) in enumerate(groups):
        panels = grid.column(number)
        for axis, (label, curves) in zip(panels, PANELS.items()):
            for one in series:
                _draw_curves(axis, of_series(drawn, one), one, curves)
            _mark_megabatches(axis, (n_megabatches, last_epoch), MAX_NUMBERS // grid.width, is_whole)
            axis.set(xlabel="", ylabel=label if grid.is_leftmost(number) else "")
        if names_fit:
            _name_megabatches(panels[0], n_megabatches, last_epoch)
        panels[0].set_title(_name_column(series), pad=14 if names_fit else 6)
        panels[-1].set_xlabel("Epochs so far" if grid.width == MAX_COLUMNS else "Epochs so far, through the stream")
    for axis in grid.row(list(PANELS).index(LOSS)):
        _set_log_scale(axis, *limits)
    grid.share_scales()
    _add_legend(grid.figure, [one for group in groups for one in group.series])
    grid.figure.align_ylabels()
    notes = [caption(epochs, "bands"), *([] if is_whole else ["only the last epoch of each megabatch"])]
    notes += ["losses above the scale are left out"] if drawn[_ends("mean")].isna().any(axis=None) else []
    set_title(
        grid.figure,
        describe(epochs),
        "; ".join(notes),
        f"{gap_note(GAP)}, at the last epoch of each megabatch",
    )
    return grid.figure, summary


def _count_epochs(epochs: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the epochs counted through the stream, from 1."""
    return epochs.assign(stream_epoch=(epochs["t"] - 1) * epochs["epoch"].max() + epochs["epoch"])


def _name_column(series: list[Series]) -> str:
    """Name the pruner of a column, which the legend does not, with the protocol and the variant."""
    one = next((one for one in series if one.pruner != "none"), series[0])
    protocol = f" ({one.protocol})" if one.protocol != "paper" else ""
    return f"{pruner_label(one.pruner)}{protocol}{f' [{one.variant}]' if one.variant else ''}"


def _draw_curves(axis: Axes, summary: pd.DataFrame, series: Series, curves: dict[str, Dash]) -> None:
    """Draw the means of a series as lines, and their intervals as bands."""
    color = color_of(series.method, series.protocol)
    for column, dash in curves.items():
        known = summary[summary[f"{column}_mean"].notna()]
        n_points = len(known)
        sns.lineplot(
            known,
            x="stream_epoch",
            y=f"{column}_mean",
            estimator=None,
            color=color,
            linestyle=dash,
            linewidth=1.3 if n_points <= 100 else 0.9,
            marker="." if n_points <= 10 else None,
            markeredgecolor=color,
            ax=axis,
        )
        lowest, highest = range_of(column)
        low, high = known[f"{column}_low"].clip(lower=lowest), known[f"{column}_high"].clip(upper=highest)
        axis.fill_between(known["stream_epoch"], low, high, color=color, alpha=0.13, linewidth=0)


def _mark_megabatches(axis: Axes, length: tuple[int, int], max_numbers: int, has_lines: bool) -> None:
    """Put ticks at the ends of megabatches, as many of them numbered as fit, and lines between megabatches.

    Args:
        axis: the panel.
        length: number of megabatches, and of epochs on each.
        max_numbers: the most numbers that fit.
        has_lines: whether lines are drawn.
    """
    n_megabatches, n_epochs = length
    step = -(-n_megabatches // max_numbers)
    axis.grid(axis="x", visible=False)
    axis.set_xlim(0, 1.015 * n_megabatches * n_epochs)
    axis.set_xticks(range(0, n_megabatches * n_epochs + 1, step * n_epochs))
    if has_lines:
        axis.set_xticks(range(0, n_megabatches * n_epochs + 1, n_epochs), minor=True)
        for t in range(1, n_megabatches):
            axis.axvline(t * n_epochs, color=BORDER, linewidth=0.7, zorder=0)


def _name_megabatches(axis: Axes, n_megabatches: int, n_epochs: int) -> None:
    """Write the name of each megabatch above its epochs."""
    for t in range(1, n_megabatches + 1):
        place = ((t - 0.5) * n_epochs, 1.03)
        axis.annotate(f"$M_{{{t}}}$", place, xycoords=("data", "axes fraction"), ha="center", fontsize=7)


def _leave_out_large_losses(summary: pd.DataFrame) -> tuple[pd.DataFrame, tuple[float, float]]:
    """Return the summary without the losses that would set the scale alone, and the scale of the loss.

    As long as batch norm has seen few batches, the validation loss is larger by orders of magnitude. Therefore the
    first megabatch does not count, unless it is the only one, of which the last epoch counts. Half the mean is the
    lowest end of an interval, because a logarithmic scale has no zero.
    """
    means, lows, highs = (summary[_ends(name)] for name in ("mean", "low", "high"))
    lows = lows.clip(lower=(means / 2).to_numpy())
    is_settled = summary["t"] > 1 if summary["t"].max() > 1 else summary["epoch"] == summary["epoch"].max()
    low, high = lows[is_settled].to_numpy().min() / 1.1, 1.1 * highs[is_settled].to_numpy().max()
    fits = (means <= high).to_numpy()
    return summary.assign(**means.where(fits), **lows.where(fits), **highs.where(fits)), (low, high)


def _ends(name: str) -> list[str]:
    """Return the columns of a summary that hold the means, or one of the ends, of both losses."""
    return [f"{column}_{name}" for column in LOSSES]


def _set_log_scale(axis: Axes, low: float, high: float) -> None:
    """Set a logarithmic scale; the fewer powers of ten it has, the more numbers stand between them."""
    axis.set_yscale("log")
    axis.set_ylim(low, high)
    between = (1,) if high / low > 500 else (1, 2, 5) if high / low > 10 else (1, 1.5, 2, 3, 5, 7)
    axis.yaxis.set_major_locator(LogLocator(subs=between))
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter(NullFormatter())


def _add_legend(figure: Figure, series: list[Series]) -> None:
    """Explain the colours of methods and protocols, and the line styles; pruners have separate columns."""
    methods = list(dict.fromkeys(Series(one.protocol, one.method, "none") for one in series))
    handles = [Line2D([], [], color=color_of(one.method, one.protocol)) for one in methods]
    handles += [Line2D([], [], color="#222222", linestyle=dash) for dash in (TRAIN, VALIDATION)]
    labels = [*map(series_label, methods), "train (running, augmented)", "validation (eval mode)"]
    add_legend(figure, handles, labels)
