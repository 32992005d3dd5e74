"""Draw the lines of several series with their intervals over seeds."""

import math
from collections.abc import Callable, Mapping

import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from anytime_pruning.figures.fast_seaborn import sns
from anytime_pruning.figures.seed_statistics import interval_of
from anytime_pruning.figures.series import Series, of_series
from anytime_pruning.figures.style import Style

# On a longer stream, bars at every megabatch would fill the panel, so the intervals are bands.
LONGEST_WITH_BARS = 12
# Bars of one megabatch stand side by side within this part of the distance between two megabatches.
BARS_WIDTH = 0.4
# The interval of few seeds may reach beyond 0 or 100 %, where no accuracy can be.
ACCURACIES = ("test_acc_pct", "train_acc_running_pct", "valid_acc_pct")


def range_of(column: str) -> tuple[float, float]:
    """Return the lowest and the highest value that a column can have."""
    return (0.0, 100.0) if column in ACCURACIES else (-math.inf, math.inf)


def interval_for(column: str) -> Callable[[ArrayLike], tuple[float, float]]:
    """Return a function that finds the ends of an interval to draw, cut where no value of the column can be."""
    lowest, highest = range_of(column)

    def find_ends(values: ArrayLike) -> tuple[float, float]:
        low, high = interval_of(values)
        return max(low, lowest), min(high, highest)

    return find_ends


def name_spread(n_megabatches: int) -> str:
    """Return the word of a caption for how intervals are drawn."""
    return "bars" if n_megabatches <= LONGEST_WITH_BARS else "bands"


def draw_lines(axis: Axes, table: pd.DataFrame, x: str, y: str, styles: Mapping[Series, Style]) -> None:
    """Draw the mean over seeds of each series after each megabatch, with its interval.

    Args:
        axis: the panel.
        table: one row for each run and megabatch, of one stream.
        x: a column that has the same value for all seeds of a series; bars over `t` are drawn side by side.
        y: a column of numbers.
        styles: look of each series.
    """
    for place, (series, style) in enumerate(styles.items()):
        length = of_series(table, series)["t"].nunique()
        # A series that waits has no cost for several megabatches, and its network stays the same.
        rows = of_series(table, series).sort_values("t", kind="stable").drop_duplicates(["seed", x], keep="last")
        is_short = length <= LONGEST_WITH_BARS
        beside = (place + 0.5) / len(styles) - 0.5 if x == "t" and is_short and rows["seed"].nunique() > 1 else 0
        # Each line of a long stream has its markers at other megabatches.
        step = 1 if is_short else length // 6
        sns.lineplot(
            rows.assign(place=rows[x] + BARS_WIDTH * beside),
            x="place",
            y=y,
            errorbar=interval_for(y),
            err_style="bars" if is_short else "band",
            err_kws={"elinewidth": 1.0} if is_short else {"alpha": 0.15, "linewidth": 0},
            color=style.color,
            linestyle=style.dash,
            linewidth=1.0,
            marker=style.marker,
            markeredgecolor=style.color,
            markevery=(int(place / len(styles) * step), step),
            ax=axis,
            **style.marker_options,
        )
    axis.set(xlabel="", ylabel="")
