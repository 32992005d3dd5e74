"""Draw the generalization gap against the index of the megabatch, for one T or several side by side."""

from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from anytime_pruning.figures.gap_curve import GAPS, THRESHOLD_POINTS, direction_changes, window_of
from anytime_pruning.figures.labels import caption, describe, series_label
from anytime_pruning.figures.plots.grid import make_grid
from anytime_pruning.figures.seed_statistics import estimate, summarize_seeds
from anytime_pruning.figures.series import SERIES, STREAM, Series, of_series, ordered_series
from anytime_pruning.figures.stream_length import is_short
from anytime_pruning.figures.style import GREY, Style, add_legend, fill_interval, set_title, styles_of

LABELS = dict(
    zip(
        GAPS,
        (
            "Running train −\naugmented validation\n(percentage points)",
            "Train − validation,\neval mode, as they are\n(percentage points)",
        ),
    )
)
MAX_COLUMNS = 4


def draw(megabatches: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Draw a column for each T and a row for each of the two ways to measure the gap.

    If all runs have the same T, the legend also shows the direction changes.
    """
    summary = summarize_seeds(megabatches, [*STREAM, *SERIES, "t"], GAPS)
    lengths = sorted(summary["n_megabatches"].unique())
    styles = styles_of(ordered_series(megabatches))
    sharey: Literal["row", False] = "row" if len(lengths) <= MAX_COLUMNS else False
    grid = make_grid(len(lengths), len(GAPS), MAX_COLUMNS, (3.3, 0.7), sharey=sharey)
    for number, length in enumerate(lengths):
        panels = grid.column(number)
        for axis, gap in zip(panels, GAPS):
            _draw_panel(axis, summary[summary["n_megabatches"] == length], styles, gap)
            axis.set_xlim(0.5, length + 0.5)
            axis.xaxis.set_major_locator(MaxNLocator(8 // min(grid.width, 2), integer=True))
            axis.set_ylabel(LABELS[gap] if grid.is_leftmost(number) else "")
        panels[0].set_title(f"T = {length}" if len(lengths) > 1 else "")
        panels[-1].set_xlabel("Megabatch index t")
    labels, lines = [series_label(series) for series in styles], [describe(megabatches), caption(megabatches, "bands")]
    if len(lengths) == 1:
        labels = [f"{series_label(series)}: {_count_changes(megabatches, series)}" for series in styles]
        lines.append(_changes_note(lengths[0]))
    add_legend(grid.figure, [style.legend_handle() for style in styles.values()], labels)
    grid.figure.align_ylabels()
    set_title(grid.figure, *lines)
    return grid.figure, summary


def _draw_panel(axis: Axes, panel: pd.DataFrame, styles: dict[Series, Style], gap: str) -> None:
    """Draw every series with its interval; on a long stream, each series has its markers at other megabatches."""
    for number, (series, style) in enumerate(styles.items()):
        table = of_series(panel, series)
        step = 1 if len(table) <= 12 else len(table) // 6
        axis.plot(
            table["t"],
            table[f"{gap}_mean"],
            marker=style.marker,
            markevery=(int(number / len(styles) * step), step),
            color=style.color,
            linestyle=style.dash,
            linewidth=1.3 if len(table) <= 30 else 0.9,
            **style.marker_options,
        )
        fill_interval(axis, table, "t", gap, style.color)
    axis.axhline(0, color=GREY, linewidth=0.8, zorder=0)


def _count_changes(megabatches: pd.DataFrame, series: Series) -> str:
    """Return the mean and the interval of the number of direction changes, for each gap."""
    parts = []
    for gap in GAPS:
        changes = direction_changes(of_series(megabatches, series), SERIES, gap)["direction_changes"]
        found = estimate(changes.to_numpy())
        interval = f" [{max(found.low, 0):.1f}, {found.high:.1f}]" if found.seeds > 1 else ""
        parts.append(f"{found.mean:.1f}{interval}")
    return " / ".join(parts)


def _changes_note(length: int) -> str:
    return (
        f"Changes of direction of at least {THRESHOLD_POINTS:g} point, curves smoothed over "
        f"{window_of(length)} megabatches: upper / lower panel{'; a short stream' if is_short(length) else ''}"
    )
