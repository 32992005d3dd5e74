"""Draw measures along one stream: a row of panels for each measure, and a column for each group of series."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from anytime_pruning.figures.labels import series_label
from anytime_pruning.figures.plots.parts.grid import make_grid
from anytime_pruning.figures.plots.parts.groups import group_series
from anytime_pruning.figures.plots.parts.lines import draw_lines
from anytime_pruning.figures.series import ordered_series
from anytime_pruning.figures.style import add_legend, styles_of

MAX_COLUMNS = 2


def draw_along(table: pd.DataFrame, measures: Mapping[str, str]) -> Figure:
    """Draw measures after each megabatch, without a title.

    Args:
        table: one row for each run and megabatch of one stream.
        measures: labels of vertical axes by column.
    """
    styles = styles_of(ordered_series(table))
    groups = group_series(list(styles))
    grid = make_grid(len(groups), len(measures), MAX_COLUMNS, (3.6, 0.7), sharex=True)
    for number, (name, series) in enumerate(groups):
        panels = grid.column(number)
        for axis, (column, label) in zip(panels, measures.items()):
            draw_lines(axis, table, "t", column, {one: styles[one] for one in series})
            axis.set_ylabel(label if grid.is_leftmost(number) else "")
            axis.yaxis.set_major_formatter("{x:,g}")
        panels[0].set_title(name)
        panels[-1].set_xlim(0.5, table["t"].max() + 0.5)
        panels[-1].xaxis.set_major_locator(MaxNLocator(10 // grid.width, integer=True, min_n_ticks=1))
    grid.share_scales()
    for axis in grid.lowest():
        axis.set_xlabel("Megabatch index t")
    add_legend(grid.figure, [style.legend_handle() for style in styles.values()], list(map(series_label, styles)))
    grid.figure.align_ylabels()
    return grid.figure
