"""Draw an ablation: accuracy, CER and gap of every series and variant of one stream beside the reference."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anytime_pruning.figures.labels import GAP_NAMES, caption, describe, gap_note, series_label
from anytime_pruning.figures.plots.parts.dots import draw_dot, mark_border, name_rows
from anytime_pruning.figures.seed_statistics import summarize_seeds
from anytime_pruning.figures.series import SERIES, STREAM, of_series, ordered_series
from anytime_pruning.figures.style import WIDTH, set_title, styles_of

GAP = "generalization_gap_pct"
# The keys are columns of the table, and the values are their labels. The gap is measured as in the released code under
# every protocol.
MEASURES = {
    "test_acc_pct": "Test accuracy (%)",
    "cumulative_error_count": "CER (misclassified test\nimages, summed over t)",
    GAP: f"{GAP_NAMES[GAP]}\n(percentage points)",
}
REFERENCE = "#0072B2"


def draw(runs: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Draw one row for each series, and the reference series as a line and a band through all rows.

    The reference is the first series without a variant.

    Args:
        runs: the collected table, one row for each run of one stream.

    Returns:
        The picture, and its numbers with one row for each series.
    """
    summary = summarize_seeds(runs, [*STREAM, *SERIES], list(MEASURES))
    series = ordered_series(runs)
    reference = next((one for one in series if not one.variant), series[0])
    plain = {one: one._replace(variant="") for one in series}
    styles = styles_of(list(dict.fromkeys(plain.values())))
    figure, axes = plt.subplots(
        1, len(MEASURES), figsize=(WIDTH, 0.19 * len(series) + 1.15), sharey=True, layout="constrained"
    )
    for axis, (measure, label) in zip(axes, MEASURES.items()):
        for row, one in enumerate(series):
            draw_dot(axis, of_series(runs, one), measure, row, styles[plain[one]])
            mark_border(axis, row)
        _mark_reference(axis, of_series(summary, reference).iloc[0], measure)
        name_rows(axis, [series_label(one) for one in series], axis is axes[0])
        axis.set_xlabel(label)
    set_title(
        figure,
        describe(runs),
        caption(runs, "bars"),
        f"Line and band: {series_label(reference)}",
        gap_note(GAP),
    )
    return figure, summary


def _mark_reference(axis: Axes, row: "pd.Series[float]", measure: str) -> None:
    axis.axvspan(row[f"{measure}_low"], row[f"{measure}_high"], color=REFERENCE, alpha=0.08, linewidth=0, zorder=0)
    axis.axvline(row[f"{measure}_mean"], color=REFERENCE, linewidth=0.8, alpha=0.7, zorder=0)
