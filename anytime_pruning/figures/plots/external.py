"""Draw accuracy and errors along the stream, of the study's main series and of other people's programs."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from anytime_pruning.figures.external.rows import with_external
from anytime_pruning.figures.labels import caption, describe, series_label
from anytime_pruning.figures.plots.parts.grid import make_grid
from anytime_pruning.figures.seed_statistics import summarize_seeds
from anytime_pruning.figures.series import SERIES, STREAM, of_series, ordered_series
from anytime_pruning.figures.style import add_legend, fill_interval, set_title, styles_of

LABELS = {"test_acc_pct": "Test accuracy (%)", "cer_count": "Misclassified test\nimages, so far"}


def draw(megabatches: pd.DataFrame, external: list[dict[str, Any]]) -> tuple[Figure, pd.DataFrame]:
    """Draw the test accuracy after each megabatch, and below it the errors so far; rows of one stream."""
    both = with_external(megabatches, external)
    summary = summarize_seeds(both, [*STREAM, *SERIES, "t"], list(LABELS))
    styles = styles_of(ordered_series(both))
    grid = make_grid(1, len(LABELS), 1, (4.6, 0.6), sharex="col")
    for axis, (column, label) in zip(grid.column(0), LABELS.items()):
        for series, style in styles.items():
            table = of_series(summary, series)
            axis.plot(
                table["t"],
                table[f"{column}_mean"],
                marker=style.marker,
                markevery=max(1, len(table) // 8),
                color=style.color,
                linestyle=style.dash,
                **style.marker_options,
            )
            fill_interval(axis, table, "t", column, style.color)
        axis.set_ylabel(label)
        axis.yaxis.set_major_formatter("{x:,.0f}")
    grid.column(0)[-1].set_xlabel("Megabatch index t")
    add_legend(grid.figure, [style.legend_handle() for style in styles.values()], list(map(series_label, styles)))
    grid.figure.align_ylabels()
    set_title(grid.figure, describe(megabatches), caption(both, "bands"), "External: imported, not run by this project")
    return grid.figure, summary
