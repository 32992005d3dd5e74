"""Generalization gap against the index of the megabatch, for one T or several side by side."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from anytime_pruning.figures.files import SERIES, STREAM, Series, of_series, ordered_series
from anytime_pruning.figures.gap_curve import THRESHOLD_POINTS, direction_changes, window_of
from anytime_pruning.figures.seed_statistics import estimate, summarize_seeds
from anytime_pruning.figures.style import (
    WIDTH,
    Style,
    add_legend,
    caption,
    describe,
    fill_interval,
    series_label,
    set_title,
    styles_of,
)

GAPS = {
    "generalization_gap_pct": "Running train −\naugmented validation\n(percentage points)",
    "clean_gap_pct": "Train − validation,\neval mode, as they are\n(percentage points)",
}
MODERATE = 25  # shorter streams are called short
MAX_COLUMNS = 4


def draw(megabatches: pd.DataFrame) -> tuple[plt.Figure, pd.DataFrame]:
    """Columns are T, rows the two ways to measure the gap; of a single T the legend has the direction changes, too."""
    summary = summarize_seeds(megabatches, [*STREAM, *SERIES, "t"], list(GAPS))
    lengths, styles = sorted(summary["n_megabatches"].unique()), styles_of(ordered_series(megabatches))
    width = min(MAX_COLUMNS, len(lengths))
    blocks = -(-len(lengths) // width)
    figure, axes = plt.subplots(
        len(GAPS) * blocks,
        width,
        figsize=(WIDTH, 3.3 * blocks + 0.7),
        squeeze=False,
        sharey="row" if blocks == 1 else False,
        layout="constrained",
    )
    for place, length in enumerate(lengths):
        block, column = divmod(place, width)
        panel = summary[summary["n_megabatches"] == length]
        for kind, (gap, label) in enumerate(GAPS.items()):
            axis = axes[block * len(GAPS) + kind][column]
            for number, (one, style) in enumerate(styles.items()):
                _draw_series(axis, of_series(panel, one), style, gap, number / len(styles))
            axis.axhline(0, color="#888888", linewidth=0.8, zorder=0)
            axis.set_xlim(0.5, length + 0.5)
            axis.xaxis.set_major_locator(MaxNLocator(8 // min(width, 2), integer=True))
            axis.set_ylabel("" if column else label)
        axes[block * len(GAPS)][column].set_title(f"T = {length}" if len(lengths) > 1 else "")
        axes[(block + 1) * len(GAPS) - 1][column].set_xlabel("Megabatch index t")
    for row in axes[-len(GAPS) :]:
        for axis in row[(len(lengths) - 1) % width + 1 :]:
            axis.set_visible(False)
    labels = [series_label(one) for one in styles]
    note = ""
    if len(lengths) == 1:
        labels = _with_changes(labels, list(styles), megabatches)
        note = (
            f"Changes of direction of at least {THRESHOLD_POINTS:g} point, curves smoothed over "
            f"{window_of(lengths[0])} megabatches: upper / lower panel"
            + ("; a short stream" if lengths[0] < MODERATE else "")
        )
    add_legend(figure, [_handle(style) for style in styles.values()], labels)
    figure.align_ylabels()
    set_title(figure, describe(megabatches), caption(megabatches, "bands"), *([note] if note else []))
    return figure, summary


def _draw_series(axis, table: pd.DataFrame, style: Style, gap: str, shift: float) -> None:
    """A line with its interval; on a long one markers stand apart, those of each series at other megabatches."""
    step = 1 if len(table) <= 12 else len(table) // 6
    axis.plot(
        table["t"],
        table[f"{gap}_mean"],
        marker=style.marker,
        markevery=(int(shift * step), step),
        color=style.color,
        linestyle=style.dash,
        linewidth=1.3 if len(table) <= 30 else 0.9,
        **style.marker_options,
    )
    fill_interval(axis, table, "t", gap, style.color)


def _handle(style: Style) -> Line2D:
    return Line2D([], [], color=style.color, linestyle=style.dash, marker=style.marker, **style.marker_options)


def _with_changes(labels: list[str], series: list[Series], megabatches: pd.DataFrame) -> list[str]:
    """Labels with the mean and interval of the number of direction changes of each gap."""
    named = []
    for label, one in zip(labels, series):
        parts = []
        for gap in GAPS:
            changes = direction_changes(of_series(megabatches, one), SERIES, gap)["direction_changes"]
            mean, low, high, count, _ = estimate(changes)
            parts.append(f"{mean:.1f}" + (f" [{max(low, 0):.1f}, {high:.1f}]" if count > 1 else ""))
        named.append(f"{label}: {' / '.join(parts)}")
    return named
