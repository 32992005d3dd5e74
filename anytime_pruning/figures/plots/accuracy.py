"""Draw test accuracy along a stream, against the megabatch and against computation, with the density below.

Computation is that of the weights that are kept, which hardware for sparse networks would execute. The figure of
budgets also has what dense hardware executes, which is the same for all series that train on the same images.
"""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from anytime_pruning.figures.budget.spending import SPENT, add_spent, unit_of
from anytime_pruning.figures.labels import caption, describe, series_label
from anytime_pruning.figures.plots.parts.grid import match_scales
from anytime_pruning.figures.plots.parts.groups import Group, group_series
from anytime_pruning.figures.plots.parts.lines import LONGEST_WITH_BARS, draw_lines, name_spread
from anytime_pruning.figures.seed_statistics import summarize_seeds
from anytime_pruning.figures.series import SERIES, STREAM, Series, of_series, ordered_series
from anytime_pruning.figures.style import WIDTH, Style, add_legend, set_title, styles_of

ACCURACY, DENSITY, COST = "test_acc_pct", "density_pct", "train_macs_kept"


def draw(megabatches: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Draw a row of panels for each group of series, and a low row with the densities of all series.

    Args:
        megabatches: the collected table, rows of one stream. Without the columns of computation, the figure has no
            column of panels for it.

    Returns:
        The picture, and its numbers with one row for each series and megabatch.
    """
    has_cost = COST in megabatches
    table = add_spent(megabatches) if has_cost else megabatches
    table = table.assign(density_pct=100 * table["density_measured"])
    columns = [ACCURACY, DENSITY, *([SPENT[COST]] if has_cost else [])]
    summary = summarize_seeds(table, [*STREAM, *SERIES, "t"], columns)
    table, places = _add_places(table, has_cost)
    styles = styles_of(ordered_series(table))
    groups = group_series(list(styles))
    figure, axes = plt.subplots(
        len(groups) + 1,
        len(places),
        figsize=(WIDTH, 1.15 + (2.3 if len(groups) == 1 else 1.6 * len(groups)) + 0.75),
        squeeze=False,
        height_ratios=[2.6 if len(groups) == 1 else 1.9] * len(groups) + [0.85],
        sharex="col",
        layout="constrained",
    )
    for column, (x, label) in zip(axes.T, places.items()):
        _draw_column(list(column), table, x, styles, groups)
        column[-1].set_xlabel(label)
    match_scales(axes[:-1].flat)
    _label_rows([list(row) for row in axes], groups)
    add_legend(figure, [style.legend_handle() for style in styles.values()], list(map(series_label, styles)))
    set_title(figure, describe(megabatches), caption(megabatches, name_spread(int(table["t"].max()))))
    return figure, summary


def _add_places(table: pd.DataFrame, has_cost: bool) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the table with the horizontal places of its points, and the labels of these axes by column."""
    labels = {"t": "Megabatch index t"}
    if not has_cost:
        return table, labels
    # The weights that are kept differ a little between seeds, and so does their computation.
    spent = table.groupby([*SERIES, "t"])[SPENT[COST]].transform("mean")
    unit, name = unit_of(spent.max())
    labels["cost"] = f"Training so far ({name}{' ' if name else ''}multiply-accumulates\nof the weights that are kept)"
    return table.assign(cost=spent / unit), labels


def _draw_column(
    column: list[Axes], table: pd.DataFrame, x: str, styles: dict[Series, Style], groups: list[Group]
) -> None:
    """Draw the accuracy of each group, and below it the density of all series."""
    *panels, lowest = column
    for axis, group in zip(panels, groups):
        draw_lines(axis, table, x, ACCURACY, {one: styles[one] for one in group.series})
    for series, style in styles.items():
        rows = of_series(table, series).groupby("t")[[x, DENSITY]].mean()
        marker = "." if len(rows) <= LONGEST_WITH_BARS else None
        lowest.plot(rows[x], rows[DENSITY], color=style.color, linestyle=style.dash, linewidth=1.2, marker=marker)
    lowest.set_ylim(0, 106)
    lowest.set_yticks([0, 50, 100])
    if x == "t":
        lowest.set_xlim(0.5, table["t"].max() + 0.5)
        lowest.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    else:
        lowest.set_xlim(0, None)


def _label_rows(rows: list[list[Axes]], groups: list[Group]) -> None:
    for row, group in zip(rows, groups):
        row[0].set_ylabel("Test accuracy (%)")
        row[0].set_title(group.name, loc="left", fontsize=8)
    rows[-1][0].set_ylabel("Weights\nkept (%)")
    for row in rows:
        for axis in row[1:]:
            axis.tick_params(labelleft=False)
    rows[0][0].figure.align_ylabels()
