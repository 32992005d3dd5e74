"""Draw short streams: test accuracy, CER and gap for each architecture, a marker for each series."""

import re

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from anytime_pruning.figures.labels import caption, dataset_label, describe, gap_note, model_label, series_label
from anytime_pruning.figures.plots.parts.dots import GAP, MEASURES, draw_dots, name_rows
from anytime_pruning.figures.seed_statistics import summarize_seeds
from anytime_pruning.figures.series import SERIES, STREAM, of_series, ordered_series
from anytime_pruning.figures.style import WIDTH, add_legend, set_title, styles_of


def draw(runs: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Draw a row of panels for each dataset and T, with a column for each measure and a line for each architecture."""
    summary = summarize_seeds(runs, [*STREAM, *SERIES], list(MEASURES))
    panels = [panel for _, panel in summary.groupby(["dataset", "n_megabatches"])]
    styles = styles_of(ordered_series(runs))
    models = [sorted(panel["model"].unique(), key=_by_depth) for panel in panels]
    heights = [0.2 + len(names) * (0.07 + 0.085 * len(styles)) for names in models]
    figure, axes = plt.subplots(
        len(panels),
        len(MEASURES),
        figsize=(WIDTH, sum(heights) + 0.45 * len(panels) + 0.8),
        squeeze=False,
        height_ratios=heights,
        layout="constrained",
    )
    for row, panel, names in zip(axes, panels, models):
        for axis, measure in zip(row, MEASURES):
            for place, (one, style) in enumerate(styles.items()):
                # The series of one architecture are drawn one below the other, in a fixed order.
                offset = 0.75 * ((place + 0.5) / len(styles) - 0.5)
                table = of_series(panel, one)
                rows = [names.index(model) + offset for model in table["model"]]
                draw_dots(axis, table, measure, rows, style, series_label(one))
            name_rows(axis, [model_label(name) for name in names], axis is row[0])
        title = f"{dataset_label(panel['dataset'].iloc[0])}, T = {panel['n_megabatches'].iloc[0]}"
        row[0].set_title(title, loc="left", fontweight="bold")
    for axis, label in zip(axes[-1], MEASURES.values()):
        axis.set_xlabel(label)
    add_legend(figure, *axes[0][0].get_legend_handles_labels())
    _add_title(figure, runs)
    return figure, summary


def _add_title(figure: Figure, runs: pd.DataFrame) -> None:
    """Name the stream above the figure if there is only one; otherwise panels and rows name the streams."""
    is_one = len(runs[STREAM].drop_duplicates()) == 1
    shown = describe(runs, STREAM if is_one else ())
    note = shown if is_one else f"{shown[0].upper()}{shown[1:]}"
    set_title(figure, note, caption(runs, "bars"), gap_note(GAP))


def _by_depth(model: str) -> tuple[str, list[int], str]:
    """Return a key that sorts resnet18 before resnet101."""
    return (model.rstrip("0123456789_"), [int(digits) for digits in re.findall(r"\d+", model)], model)
