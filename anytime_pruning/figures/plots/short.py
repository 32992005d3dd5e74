"""Draw short streams: what each series gains or loses against the dense network, seed by seed, as a forest of dots.

The margins are those of the table of equivalence. The table of results has the absolute values.
"""

import re

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from anytime_pruning.figures.labels import (
    GAP_NAMES,
    caption,
    dataset_label,
    describe,
    gap_note,
    model_label,
    series_label,
)
from anytime_pruning.figures.plots.parts.dots import draw_dot, mark_border, name_rows
from anytime_pruning.figures.seed_statistics import summarize_seeds
from anytime_pruning.figures.series import SERIES, STREAM, Series, find_dense, of_series, ordered_series
from anytime_pruning.figures.style import GREY, WIDTH, Style, add_legend, set_title, styles_of

CER, GAP = "cumulative_error_count", "generalization_gap_pct"
MARGIN = "#E3E3E3"
# The keys are columns of the collected table, and the values are the labels of the differences.
MEASURES = {
    "test_acc_pct": "Test accuracy (points)\nworse ← 0 → better",
    CER: "CER (% of the baseline's)\nbetter ← 0 → worse",
    GAP: f"{GAP_NAMES[GAP]} (points)\nsmaller ← 0 → larger",
}
ROW_HEIGHT = 0.17
# A row of a panel is a network and a series.
Row = tuple[str, Series]


def draw(runs: pd.DataFrame, margins: dict[str, float]) -> tuple[Figure, pd.DataFrame]:
    """Draw a row of panels for each dataset and T, a column for each measure, and a line for each network and series.

    Args:
        runs: the collected table.
        margins: margin by measure: points for `test_acc_pct`, percent for `cumulative_error_count`.

    Returns:
        The picture, and its numbers with one row for each stream and series but the dense baselines.
    """
    differences = subtract_dense(runs)
    summary = summarize_seeds(differences, [*STREAM, *SERIES, "minus"], list(MEASURES))
    styles = styles_of(ordered_series(differences))
    panels = [panel for _, panel in differences.groupby(["dataset", "n_megabatches"])]
    rows = [_rows_of(panel) for panel in panels]
    heights = [0.12 + ROW_HEIGHT * len(found) for found in rows]
    figure, axes = plt.subplots(
        len(panels),
        len(MEASURES),
        figsize=(WIDTH, sum(heights) + 0.32 * len(panels) + 1.1),
        squeeze=False,
        height_ratios=heights,
        sharex="col",
        layout="constrained",
    )
    for line, panel, found in zip(axes, panels, rows):
        for axis, measure in zip(line, MEASURES):
            _draw_panel(axis, panel, found, measure, styles)
            _mark_margin(axis, margins.get(measure, 0))
            name_rows(axis, _names_of(found), axis is line[0])
        line[0].set_title(_name_panel(panel) if len(panels) > 1 else "", loc="left", fontweight="bold")
    for axis, label in zip(axes[-1], MEASURES.values()):
        axis.set_xlabel(label)
    add_legend(figure, [Patch(facecolor=MARGIN, edgecolor="none")], [_name_margins(margins)])
    _add_title(figure, differences)
    return figure, summary


def subtract_dense(runs: pd.DataFrame) -> pd.DataFrame:
    """Return what each run has more than the run of the dense baseline on the same stream with the same seed.

    Args:
        runs: the collected table.

    Returns:
        One row for each run that has such a dense run, with the measures as differences: of accuracy and gap in points,
        and of errors in percent of the dense baseline's mean over the common seeds; `minus` names that baseline.
    """
    parts = []
    for _, panel in runs.groupby(STREAM):
        series = ordered_series(panel)
        for one in series:
            dense = find_dense(one, series)
            if one.method == "dense" or dense is None:
                continue
            second = of_series(panel, dense).set_index("seed")[list(MEASURES)]
            first = of_series(panel, one)
            first = first[first["seed"].isin(second.index)]
            subtracted = second.loc[first["seed"]].set_index(first.index)
            shown = first[list(MEASURES)] - subtracted
            shown[CER] *= 100 / subtracted[CER].mean()
            parts.append(first[[*STREAM, *SERIES, "seed"]].join(shown).assign(minus=series_label(dense)))
    return pd.concat(parts, ignore_index=True)


def _rows_of(panel: pd.DataFrame) -> list[Row]:
    """Return the rows of a panel from top to bottom."""
    return [
        (model, one)
        for model in sorted(panel["model"].unique(), key=_by_depth)
        for one in ordered_series(panel[panel["model"] == model])
    ]


def _names_of(rows: list[Row]) -> list[str]:
    """Return the names of rows; the first row of each network names it, if there are several."""
    models = [model for model, _ in rows]
    heads = [f"{model_label(model)}:  " if models.index(model) == place else "" for place, model in enumerate(models)]
    is_named = len(set(models)) > 1
    return [f"{head if is_named else ''}{series_label(one)}" for head, (_, one) in zip(heads, rows)]


def _draw_panel(axis: Axes, panel: pd.DataFrame, rows: list[Row], measure: str, styles: dict[Series, Style]) -> None:
    for place, (model, one) in enumerate(rows):
        draw_dot(axis, of_series(panel[panel["model"] == model], one), measure, place, styles[one])
        if place and rows[place - 1][0] != model:
            mark_border(axis, place)


def _mark_margin(axis: Axes, margin: float) -> None:
    """Draw the line of no difference, and the margin around it as a band, if there is one."""
    axis.axvspan(-margin, margin, color=MARGIN, linewidth=0, zorder=0)
    axis.axvline(0, color=GREY, linewidth=0.9, zorder=0.5)


def _name_margins(margins: dict[str, float]) -> str:
    accuracy = margins["test_acc_pct"]
    unit = "point" if accuracy == 1 else "points"
    return f"Margin of equivalence: ± {accuracy:g} {unit} of accuracy, ± {margins[CER]:g} % of CER; none for the gap"


def _name_panel(panel: pd.DataFrame) -> str:
    """Name the dataset and T of a panel, and its network if there is only one."""
    models = panel["model"].unique()
    names = [dataset_label(panel["dataset"].iloc[0]), *([model_label(models[0])] if len(models) == 1 else [])]
    return ", ".join([*names, f"T = {panel['n_megabatches'].iloc[0]}"])


def _add_title(figure: Figure, differences: pd.DataFrame) -> None:
    """Name the stream above the figure if there is only one; otherwise panels and rows name the streams."""
    is_one = len(differences[STREAM].drop_duplicates()) == 1
    shown = describe(differences, STREAM if is_one else ())
    own = " of its protocol and settings" if differences["minus"].nunique() > 1 else ""
    set_title(
        figure,
        shown if is_one else f"{shown[0].upper()}{shown[1:]}",
        f"Each series minus the dense baseline{own}, paired by seed",
        caption(differences, "bars"),
        gap_note(GAP),
    )


def _by_depth(model: str) -> tuple[str, list[int], str]:
    """Return a key that sorts resnet18 before resnet101."""
    return (model.rstrip("0123456789_"), [int(digits) for digits in re.findall(r"\d+", model)], model)
