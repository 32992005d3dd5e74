"""Draw the density of every prunable layer after each megabatch, a panel for each series that is pruned repeatedly.

The number on each panel, early − all, comes from `early_layers.early_minus_overall` and is averaged over seeds.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from anytime_pruning.figures.early_layers import EARLY_NAME, early_minus_overall
from anytime_pruning.figures.labels import describe, seeds_note, series_label
from anytime_pruning.figures.plots.parts.grid import PanelGrid, make_grid
from anytime_pruning.figures.seed_statistics import summarize_seeds
from anytime_pruning.figures.series import SERIES, STREAM, of_series, ordered_series
from anytime_pruning.figures.style import set_title

MAX_COLUMNS = 3
# On a longer stream, only this number of megabatches is drawn, including the first and the last one.
MAX_LINES = 12


def summarize(layers: pd.DataFrame) -> pd.DataFrame:
    """Summarize the density of each layer over seeds, and `early_minus_overall` of each megabatch.

    Args:
        layers: the collected table; rows in the order of the network's layers.

    Returns:
        One row for each series, megabatch and layer; `depth` counts layers from the input, from 1.
    """
    order = {layer: depth for depth, layer in enumerate(layers["layer"].unique(), start=1)}
    layers = layers.assign(depth=layers["layer"].map(order), density_pct=100 * layers["kept"] / layers["total"])
    densities = summarize_seeds(layers, [*STREAM, *SERIES, "t", "depth", "layer", "total"], ["density_pct"])
    early = summarize_seeds(early_minus_overall(layers), [*STREAM, *SERIES, "t"], ["early_minus_overall_points"])
    return densities.merge(early.drop(columns="seeds"), on=[*STREAM, *SERIES, "t"], validate="many_to_one")


def draw(layers: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Draw density against depth, from input to output; darker lines are later megabatches."""
    summary = summarize(layers)
    series = ordered_series(layers)
    n_megabatches = int(summary["t"].max())
    times = np.unique(np.linspace(1, n_megabatches, min(MAX_LINES, n_megabatches)).round())
    colors = ScalarMappable(BoundaryNorm(np.arange(n_megabatches + 1) + 0.5, plt.get_cmap("viridis_r").N), "viridis_r")
    grid = make_grid(len(series), 1, 2 if len(series) == 4 else MAX_COLUMNS, (2.2, 0.6), sharex=True, sharey=True)
    for axis, one in zip(grid.row(0), series):
        panel = of_series(summary, one)
        _draw_lines(axis, panel[panel["t"].isin(times)], colors)
        axis.set_title(f"{series_label(one)}\n{_early_note(panel)}", fontsize=7.5)
    _label_axes(grid)
    _add_bar(grid, colors)
    shown = f"; {len(times)} of {n_megabatches} megabatches are drawn" if len(times) < n_megabatches else ""
    set_title(
        grid.figure,
        f"{describe(layers)}. Mean of {seeds_note(layers)}{shown}",
        f"Early − all: density of the {EARLY_NAME} minus that of the network, in points, at t = 1, 2",
    )
    return grid.figure, summary


def _draw_lines(axis: Axes, panel: pd.DataFrame, colors: ScalarMappable) -> None:
    for t in panel["t"].unique():
        line = panel[panel["t"] == t]
        axis.plot(line["depth"], line["density_pct_mean"], ".-", color=colors.to_rgba(t), linewidth=1.0, markersize=3)
    axis.set_ylim(0, 103)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))


def _early_note(panel: pd.DataFrame) -> str:
    """Return the text with the number early − all at the first two megabatches."""
    values = panel.groupby("t")["early_minus_overall_points_mean"].first()
    parts = [f"{values[t]:+.1f}".replace("-", "−") for t in (1, 2) if t in values]
    return f"early − all: {', '.join(parts)}"


def _label_axes(grid: PanelGrid) -> None:
    for axis in grid.lowest():
        axis.set_xlabel("Layer, from input to output")
        axis.tick_params(labelbottom=True)
    for axis in grid.axes[:, 0]:
        axis.set_ylabel("Weights kept (%)")


def _add_bar(grid: PanelGrid, colors: ScalarMappable) -> None:
    """Add the scale of colours at the right side."""
    axes: list[Axes] = grid.axes.ravel().tolist()
    bar = grid.figure.colorbar(colors, ax=axes, label="Megabatch index t", pad=0.01, aspect=22 * grid.n_blocks)
    bar.ax.yaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    bar.ax.minorticks_off()
