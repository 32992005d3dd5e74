"""Draw what each series has cost at the end of the stream, beside its test accuracy and its errors.

The figure of accuracy shows the way there. Errors could not be shown along it, because at the same cost a cheap series
has met more megabatches than a dear one, and therefore made errors on more tests.
"""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anytime_pruning.figures.budget.spending import COSTS, SPENT, add_spent, unit_of
from anytime_pruning.figures.labels import caption, describe, series_label
from anytime_pruning.figures.seed_statistics import summarize_seeds
from anytime_pruning.figures.series import SERIES, STREAM, Series, of_series, ordered_series
from anytime_pruning.figures.style import WIDTH, Style, add_legend, set_title, styles_of

TITLES = {"train_macs": "as executed (dense kernels)", "train_macs_kept": "of kept weights (sparse hardware)"}
MEASURES = {"test_acc_pct": "Test accuracy (%)", "cer_count": "CER (misclassified test\nimages, summed over t)"}
# Marks that are nearer to each other than this part of the panel's width are drawn side by side.
MARK_WIDTH = 0.025


def draw(megabatches: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Draw a column for each way to count the cost, and a row for test accuracy and for CER, at the end of the stream.

    Args:
        megabatches: the collected table, rows of one stream.

    Returns:
        The picture, and its numbers with one row for each series and megabatch.
    """
    spent = add_spent(megabatches)
    summary = summarize_seeds(spent, [*STREAM, *SERIES, "t"], [*SPENT.values(), *MEASURES])
    ends = summary[summary["t"] == summary["t"].max()]
    styles = styles_of(ordered_series(megabatches))
    figure, axes = plt.subplots(
        len(MEASURES), len(COSTS), figsize=(WIDTH, 4.2), sharex="col", sharey="row", layout="constrained"
    )
    for column, cost in zip(axes.T, COSTS):
        unit, name = unit_of(ends[f"{SPENT[cost]}_mean"].max())
        places = _set_side_by_side({one: of_series(ends, one)[f"{SPENT[cost]}_mean"].item() / unit for one in styles})
        for axis, measure in zip(column, MEASURES):
            axis.margins(y=0.12)
            for series, style in styles.items():
                _draw_mark(axis, places[series], of_series(ends, series).iloc[0], measure, style)
        column[0].set_title(TITLES[cost])
        column[1].set_xlabel(f"Training in all ({name}{' ' if name else ''}multiply-accumulates)")
        column[1].set_xlim(0, 1.08 * max(places.values()))
    for axis, label in zip(axes[:, 0], MEASURES.values()):
        axis.set_ylabel(label)
    axes[1, 0].yaxis.set_major_formatter("{x:,.0f}")
    add_legend(figure, [style.legend_handle() for style in styles.values()], list(map(series_label, styles)))
    figure.align_ylabels()
    note = "At the end of the stream; marks of nearly equal cost are drawn side by side"
    set_title(figure, describe(megabatches), caption(megabatches, "bars"), note)
    return figure, summary


def _set_side_by_side(costs: Mapping[Series, float]) -> dict[Series, float]:
    """Return the horizontal place of each mark, which is its cost where it has enough room."""
    width = MARK_WIDTH * max(costs.values())
    clusters: list[list[Series]] = []
    for one in sorted(costs, key=lambda one: (costs[one], one.order)):
        if clusters and costs[one] - costs[clusters[-1][-1]] < width:
            clusters[-1].append(one)
        else:
            clusters.append([one])
    places = {}
    for cluster in clusters:
        middle = sum(costs[one] for one in cluster) / len(cluster)
        for number, one in enumerate(cluster):
            places[one] = middle + width * (number - (len(cluster) - 1) / 2)
    return places


def _draw_mark(axis: Axes, place: float, row: "pd.Series[float]", measure: str, style: Style) -> None:
    """Draw the mean of one series with its interval."""
    mean, low, high = (row[f"{measure}_{part}"] for part in ("mean", "low", "high"))
    axis.errorbar(
        place,
        mean,
        yerr=[[mean - low], [high - mean]],
        marker=style.marker,
        color=style.color,
        elinewidth=1.1,
        **style.marker_options,
    )
