"""Draw test accuracy and cumulative errors against the multiply-accumulates that training has cost so far."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anytime_pruning.figures.budget.spending import COSTS, SPENT, add_spent, unit_of
from anytime_pruning.figures.labels import caption, describe, series_label
from anytime_pruning.figures.plots.parts.grid import make_grid
from anytime_pruning.figures.seed_statistics import summarize_seeds
from anytime_pruning.figures.series import SERIES, STREAM, of_series, ordered_series
from anytime_pruning.figures.style import Style, add_legend, fill_interval, set_title, styles_of

TITLES = {"train_macs": "as executed (dense kernels)", "train_macs_kept": "of kept weights (sparse hardware)"}


def draw(megabatches: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Draw a column for each way to count the cost: test accuracy along the stream, and below CER at its end.

    CER is shown at the end alone, because at the same cost a cheap series has met more megabatches than a dear one, and
    therefore made errors on more tests.

    Args:
        megabatches: the collected table, rows of one stream.

    Returns:
        The picture, and its numbers with one row for each series and megabatch.
    """
    spent = add_spent(megabatches)
    summary = summarize_seeds(spent, [*STREAM, *SERIES, "t"], [*SPENT.values(), "test_acc_pct", "cer_count"])
    unit, unit_name = unit_of(spent[list(SPENT.values())].to_numpy().max())
    styles = styles_of(ordered_series(megabatches))
    grid = make_grid(len(COSTS), 2, len(COSTS), (4.2, 0.6), sharey="row", sharex="col")
    for number, cost in enumerate(COSTS):
        above, below = grid.column(number)
        for series, style in styles.items():
            table = of_series(summary, series)
            table = table.assign(cost=table[f"{SPENT[cost]}_mean"] / unit)
            _draw_line(above, table, style)
            _draw_end(below, table, style)
        above.set_title(TITLES[cost])
        below.set(xlabel=f"Training so far ({unit_name}{' ' if unit_name else ''}multiply-accumulates)", xlim=(0, None))
        below.yaxis.set_major_formatter("{x:,.0f}")
    grid.column(0)[0].set_ylabel("Test accuracy (%)")
    grid.column(0)[1].set_ylabel("CER (misclassified test\nimages, summed over t)")
    add_legend(grid.figure, [style.legend_handle() for style in styles.values()], list(map(series_label, styles)))
    grid.figure.align_ylabels()
    notes = "Above: a mark at each megabatch; below: at the end of the stream"
    set_title(grid.figure, describe(megabatches), caption(megabatches, "bands and bars"), notes)
    return grid.figure, summary


def _draw_line(axis: Axes, table: pd.DataFrame, style: Style) -> None:
    """Draw the test accuracy of one series with its interval; the cost hardly differs between seeds."""
    axis.plot(
        table["cost"],
        table["test_acc_pct_mean"],
        marker=style.marker,
        markevery=max(1, len(table) // 8),
        color=style.color,
        linestyle=style.dash,
        linewidth=1.1,
        **style.marker_options,
    )
    fill_interval(axis, table, "cost", "test_acc_pct", style.color)


def _draw_end(axis: Axes, table: pd.DataFrame, style: Style) -> None:
    """Draw the CER of one series at the end of its stream, with its interval."""
    end = table.iloc[-1]
    mean = end["cer_count_mean"]
    axis.errorbar(
        end["cost"],
        mean,
        yerr=[[mean - end["cer_count_low"]], [end["cer_count_high"] - mean]],
        marker=style.marker,
        color=style.color,
        elinewidth=1.0,
        capsize=2,
        **style.marker_options,
    )
