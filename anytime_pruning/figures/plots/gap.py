"""Draw the generalization gap against the index of the megabatch, for one T or several side by side."""

from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from anytime_pruning.figures.gap_curve import GAPS, measure_reversals
from anytime_pruning.figures.labels import GAP_NAMES, caption, describe, gap_note, series_label
from anytime_pruning.figures.plots.parts.grid import make_grid
from anytime_pruning.figures.seed_statistics import summarize_seeds
from anytime_pruning.figures.series import SERIES, STREAM, Series, of_series, ordered_series
from anytime_pruning.figures.stream_length import has_curve
from anytime_pruning.figures.style import GREY, Style, add_legend, fill_interval, set_title, styles_of
from anytime_pruning.figures.tables import cells

MAX_COLUMNS = 4
EXCESS_NOTE = "Behind a name: by how many points gap / clean gap move back farther than noise around a monotone gap"


def draw(megabatches: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Draw a column for each T and a row for each of the two ways to measure the gap.

    If all runs have the same T, the legend also shows how far the gaps move back.
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
            axis.set_ylabel(f"{GAP_NAMES[gap]}\n(percentage points)" if grid.is_leftmost(number) else "")
        panels[0].set_title(f"T = {length}" if len(lengths) > 1 else "")
        panels[-1].set_xlabel("Megabatch index t")
    labels = [series_label(series) for series in styles]
    lines = [describe(megabatches), caption(megabatches, "bands"), gap_note(*GAPS)]
    if len(lengths) == 1 and has_curve(lengths[0]):
        labels = [f"{series_label(series)}: {_name_excess(megabatches, series)}" for series in styles]
        lines.append(EXCESS_NOTE)
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


def _name_excess(megabatches: pd.DataFrame, series: Series) -> str:
    """Write `+0.9 (p 0.03) / −0.1 (p 0.61)`: the excess of the reversal with its p-value, for each gap."""
    parts = []
    for gap in GAPS:
        found = measure_reversals(of_series(megabatches, series), SERIES, gap)
        excess = cells.number(found["excess_reversal"].mean(), 1)
        sign = "" if excess.startswith("−") or float(excess) == 0 else "+"
        parts.append(f"{sign}{excess} (p {cells.number(found['p_value'].iloc[0], 3)})")
    return " / ".join(parts)
