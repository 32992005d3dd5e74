"""Short streams: test accuracy, CER and generalization gap for each architecture, one marker for each series."""

import matplotlib.pyplot as plt
import pandas as pd

from anytime_pruning.figures.files import SERIES, STREAM, of_series, ordered_series
from anytime_pruning.figures.plots.dots import MEASURES, draw_dots, name_rows
from anytime_pruning.figures.seed_statistics import summarize_seeds
from anytime_pruning.figures.style import (
    DATASET_LABELS,
    WIDTH,
    add_legend,
    caption,
    describe,
    model_label,
    series_label,
    set_title,
    styles_of,
)


def draw(runs: pd.DataFrame) -> tuple[plt.Figure, pd.DataFrame]:
    """Rows of panels are dataset and T, rows in a panel architectures, columns measures."""
    summary = summarize_seeds(runs, [*STREAM, *SERIES], list(MEASURES))
    panels = list(summary.groupby(["dataset", "n_megabatches"]))
    styles = styles_of(ordered_series(runs))
    models = [sorted(panel["model"].unique(), key=_depth) for _, panel in panels]
    heights = [0.2 + len(names) * (0.07 + 0.085 * len(styles)) for names in models]
    figure, axes = plt.subplots(
        len(panels),
        len(MEASURES),
        figsize=(WIDTH, sum(heights) + 0.45 * len(panels) + 0.8),
        squeeze=False,
        height_ratios=heights,
        layout="constrained",
    )
    for row, ((dataset, n_megabatches), panel), names in zip(axes, panels, models):
        for axis, measure in zip(row, MEASURES):
            for place, (one, style) in enumerate(styles.items()):
                # Series of one architecture stand one below the other, in a fixed order.
                offset = 0.75 * ((place + 0.5) / len(styles) - 0.5)
                table = of_series(panel, one)
                rows = [names.index(model) + offset for model in table["model"]]
                draw_dots(axis, table, measure, rows, style, series_label(one))
            name_rows(axis, [model_label(name) for name in names], axis is row[0])
        title = f"{DATASET_LABELS.get(dataset, dataset)}, T = {n_megabatches}"
        row[0].set_title(title, loc="left", fontweight="bold")
    for axis, label in zip(axes[-1], MEASURES.values()):
        axis.set_xlabel(label)
    add_legend(figure, *axes[0][0].get_legend_handles_labels())
    shown = describe(runs, ("dataset", "model", "n_megabatches") if len(summary[STREAM].drop_duplicates()) == 1 else ())
    note = f"{shown[0].upper()}{shown[1:]}" if shown.startswith("protocol") else shown
    set_title(figure, note, caption(runs, "bars"), "Gap: running train − augmented validation accuracy")
    return figure, summary


def _depth(model: str) -> tuple:
    """Sorts resnet18 before resnet101."""
    digits = "".join(character if character.isdigit() else " " for character in model).split()
    return (model.rstrip("0123456789_"), [int(number) for number in digits], model)
