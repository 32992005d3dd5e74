"""Draw how the generalization gap along a stream depends on the stream's length T."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from anytime_pruning.figures.fast_seaborn import sns
from anytime_pruning.figures.labels import GAP_NAMES, caption, describe, gap_note, series_label
from anytime_pruning.figures.plots.parts.grid import make_grid
from anytime_pruning.figures.seed_statistics import interval_of, summarize_seeds
from anytime_pruning.figures.series import SERIES, STREAM, of_series, ordered_series
from anytime_pruning.figures.style import GREY, add_legend, sequential_colors, set_title

GAPS = list(GAP_NAMES)
MAX_COLUMNS = 3


def draw(megabatches: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Draw a column for each series, in which every line is a stream, over the share of its megabatches seen so far.

    Args:
        megabatches: the collected table, rows of one dataset and network; each T has the same images.

    Returns:
        The picture, and its numbers with one row for each stream, series and megabatch.
    """
    summary = summarize_seeds(megabatches, [*STREAM, *SERIES, "t"], GAPS)
    table = megabatches.assign(seen_pct=100 * megabatches["t"] / megabatches["n_megabatches"])
    lengths = sorted(table["n_megabatches"].unique())
    colors = dict(zip(lengths, sequential_colors(len(lengths))))
    series = ordered_series(table)
    grid = make_grid(len(series), len(GAPS), MAX_COLUMNS, (3.2, 0.7), sharex=True)
    for number, one in enumerate(series):
        panels = grid.column(number)
        for axis, gap in zip(panels, GAPS):
            _draw_panel(axis, of_series(table, one), gap, colors)
            axis.set_ylabel(f"{GAP_NAMES[gap]}\n(percentage points)" if grid.is_leftmost(number) else "")
        panels[0].set_title(series_label(one), fontsize=8)
    grid.share_scales()
    for axis in grid.lowest():
        axis.set(xlabel="Part of the stream seen (%)", xlim=(0, 103))
    handles = [Line2D([], [], color=color, marker="." if length <= 12 else None) for length, color in colors.items()]
    add_legend(grid.figure, handles, [f"T = {length}" for length in lengths])
    grid.figure.align_ylabels()
    set_title(grid.figure, describe(table), caption(table, "bands"), *map(gap_note, GAPS))
    return grid.figure, summary


def _draw_panel(axis: Axes, table: pd.DataFrame, gap: str, colors: dict[int, object]) -> None:
    """Draw a line with its interval for each T; the points of a short stream are marked."""
    for length, color in colors.items():
        sns.lineplot(
            table[table["n_megabatches"] == length],
            x="seen_pct",
            y=gap,
            errorbar=interval_of,
            err_kws={"alpha": 0.13, "linewidth": 0},
            color=color,
            linewidth=1.1,
            marker="." if length <= 12 else None,
            markeredgecolor=color,
            ax=axis,
        )
    axis.axhline(0, color=GREY, linewidth=0.8, zorder=0)
    axis.set(xlabel="", ylabel="")
