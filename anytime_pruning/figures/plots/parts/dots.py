"""Draw panels of dots with intervals, with one row for each compared series and one column for each measure."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from anytime_pruning.figures.fast_seaborn import sns
from anytime_pruning.figures.seed_statistics import interval_of
from anytime_pruning.figures.style import Style


def name_rows(axis: Axes, names: Sequence[str], is_first: bool) -> None:
    """Divide a panel into rows from top to bottom, and write the names of the rows beside the first panel."""
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_yticks(range(len(names)), names)
    axis.tick_params(axis="y", length=0, labelleft=is_first)
    axis.grid(axis="y", visible=False)
    axis.xaxis.set_major_locator(MaxNLocator(3))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}".replace("-", "−")))


def mark_border(axis: Axes, row: int) -> None:
    """Draw a line above a row."""
    axis.axhline(row - 0.5, color="#DDDDDD", linewidth=0.8, zorder=0)


def draw_dot(axis: Axes, table: pd.DataFrame, measure: str, row: float, style: Style) -> None:
    """Draw the mean over seeds of one series, and a bar over its interval.

    Args:
        axis: the panel.
        table: one row for each seed.
        measure: a column of numbers.
        row: the height of the mark.
        style: look of the series.
    """
    sns.pointplot(
        table.assign(row=row),
        x=measure,
        y="row",
        orient="h",
        native_scale=True,
        errorbar=interval_of,
        # Bars lie below the marks, some of which are white inside.
        err_kws={"linewidth": 1.1, "zorder": 1.5},
        color=style.color,
        linestyle="none",
        markers=style.marker,
        markersize=4.5,
        markeredgewidth=1.0,
        ax=axis,
        **style.marker_options,
    )
    axis.set(xlabel="", ylabel="")
