"""Draw the generalization gap against the index of the megabatch, on a long stream."""

import pandas as pd
from matplotlib.figure import Figure

from anytime_pruning.figures.labels import GAP_NAMES, caption, describe, gap_note
from anytime_pruning.figures.plots.parts.along import draw_along
from anytime_pruning.figures.plots.parts.lines import name_spread
from anytime_pruning.figures.seed_statistics import summarize_seeds
from anytime_pruning.figures.series import SERIES, STREAM
from anytime_pruning.figures.style import GREY, set_title

# The generalization gap is measured in two ways, which are two columns of the collected table.
LABELS = {gap: f"{name}\n(percentage points)" for gap, name in GAP_NAMES.items()}


def draw(megabatches: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Draw a row for each of the two ways to measure the gap, and a column for each group of series.

    Args:
        megabatches: the collected table, rows of one stream.

    Returns:
        The picture, and its numbers with one row for each series and megabatch.
    """
    figure = draw_along(megabatches, LABELS)
    for axis in figure.axes:
        axis.axhline(0, color=GREY, linewidth=0.8, zorder=0)
    spread = name_spread(int(megabatches["t"].max()))
    set_title(figure, describe(megabatches), caption(megabatches, spread), *map(gap_note, LABELS))
    return figure, summarize_seeds(megabatches, [*STREAM, *SERIES, "t"], list(LABELS))
