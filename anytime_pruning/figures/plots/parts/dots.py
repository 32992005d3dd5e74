"""Draw panels of dots with intervals, with one row for each compared series and one column for each measure."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from anytime_pruning.figures.labels import GAP_NAMES
from anytime_pruning.figures.style import Style

# The keys are columns of the table, and the values are their labels. The gap is measured as in the released code under
# every protocol.
GAP = "generalization_gap_pct"
MEASURES = {
    "test_acc_pct": "Test accuracy (%)",
    "cumulative_error_count": "CER (misclassified test\nimages, summed over t)",
    GAP: f"{GAP_NAMES[GAP]}\n(percentage points)",
}


def name_rows(axis: Axes, names: Sequence[str], is_first: bool) -> None:
    """Divide a panel into rows from top to bottom, and write the names of the rows beside the first panel."""
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_yticks(range(len(names)), names if is_first else [""] * len(names))
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="y", visible=False)
    for border in range(1, len(names)):
        axis.axhline(border - 0.5, color="#E4E4E4", linewidth=0.8, zorder=0)
    axis.xaxis.set_major_locator(MaxNLocator(3))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}".replace("-", "−")))


def draw_dots(axis: Axes, table: pd.DataFrame, measure: str, rows: Sequence[float], style: Style, label: str) -> None:
    """Draw a marker at each mean and a bar over its interval.

    Args:
        axis: the panel.
        table: rows of `summarize_seeds`.
        measure: name of a summarized column.
        rows: the height of each mark, one for each row of the table.
        style: look of the series.
        label: name in the legend; may be empty.
    """
    mean, low, high = (table[f"{measure}_{part}"].to_numpy() for part in ("mean", "low", "high"))
    axis.errorbar(
        mean,
        rows,
        xerr=[mean - low, high - mean],
        fmt=style.marker,
        color=style.color,
        markersize=4.5,
        capsize=1.8,
        elinewidth=1,
        label=label,
        **style.marker_options,
    )
