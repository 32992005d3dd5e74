"""Density of every prunable layer after each megabatch, a panel for each series that is pruned more than once.

The number on each panel, early minus all: the mean density of the first third of the layers minus the density of the
network, in percentage points. Below zero, early layers are pruned harder than the whole.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm
from matplotlib.ticker import MaxNLocator

from anytime_pruning.figures.files import SERIES, STREAM, of_series, ordered_series
from anytime_pruning.figures.seed_statistics import summarize_seeds
from anytime_pruning.figures.style import WIDTH, describe, seeds_note, series_label, set_title

MAX_COLUMNS = 3
# Of a longer stream the lines of so many megabatches are drawn, the first and the last among them.
MAX_LINES = 12


def early_minus_overall(layers: pd.DataFrame) -> pd.DataFrame:
    """For each seed, series and t: mean density of the first third of the layers minus overall density, in points."""
    keys = [*STREAM, *SERIES, "seed", "t"]
    depth = layers.groupby(keys).cumcount()
    n_layers = layers.groupby(keys)["layer"].transform("size")
    density = 100 * layers["kept"] / layers["total"]
    early = density[depth < np.ceil(n_layers / 3)].groupby([layers[key] for key in keys]).mean()
    counts = layers.groupby(keys)[["kept", "total"]].sum()
    return (early - 100 * counts["kept"] / counts["total"]).rename("early_minus_overall_points").reset_index()


def summarize(layers: pd.DataFrame) -> pd.DataFrame:
    """Density of each layer and `early_minus_overall` of its megabatch; `depth` counts layers from the input."""
    order = {layer: depth for depth, layer in enumerate(layers["layer"].unique(), start=1)}
    layers = layers.assign(depth=layers["layer"].map(order), density_pct=100 * layers["kept"] / layers["total"])
    densities = summarize_seeds(layers, [*STREAM, *SERIES, "t", "depth", "layer", "total"], ["density_pct"])
    early = summarize_seeds(early_minus_overall(layers), [*STREAM, *SERIES, "t"], ["early_minus_overall_points"])
    return densities.merge(early.drop(columns="seeds"), on=[*STREAM, *SERIES, "t"], validate="many_to_one")


def draw(layers: pd.DataFrame) -> tuple[plt.Figure, pd.DataFrame]:
    """The horizontal axis goes from input to output; darker lines are later megabatches."""
    summary = summarize(layers)
    series = ordered_series(layers)
    n_megabatches = int(summary["t"].max())
    colors = plt.get_cmap("viridis_r")
    norm = BoundaryNorm([t + 0.5 for t in range(n_megabatches + 1)], colors.N)
    times = np.unique(np.linspace(1, n_megabatches, min(MAX_LINES, n_megabatches)).round())
    width = min(MAX_COLUMNS, len(series)) if len(series) != 4 else 2
    blocks = -(-len(series) // width)
    figure, axes = plt.subplots(
        blocks,
        width,
        figsize=(WIDTH, 2.2 * blocks + 0.6),
        squeeze=False,
        sharex=True,
        sharey=True,
        layout="constrained",
    )
    for axis, one in zip(axes.flat, series):
        panel = of_series(summary, one)
        for t, line in panel[panel["t"].isin(times)].groupby("t"):
            axis.plot(line["depth"], line["density_pct_mean"], ".-", color=colors(norm(t)), linewidth=1.0, markersize=3)
        axis.set_title(f"{series_label(one)}\n{_early_note(panel)}", fontsize=7.5)
        axis.set_ylim(0, 103)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axis in axes.flat[len(series) :]:
        axis.set_visible(False)
    for column in range(width):
        last = [axis for axis in axes[:, column] if axis.get_visible()][-1]
        last.set_xlabel("Layer, from input to output")
        last.tick_params(labelbottom=True)
    for axis in axes[:, 0]:
        axis.set_ylabel("Weights kept (%)")
    bar = figure.colorbar(
        ScalarMappable(norm, colors), ax=axes, label="Megabatch index t", pad=0.01, aspect=22 * blocks
    )
    bar.ax.yaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    bar.ax.minorticks_off()
    shown = f"; {len(times)} of {n_megabatches} megabatches are drawn" if len(times) < n_megabatches else ""
    set_title(
        figure,
        f"{describe(layers)}. Mean of {seeds_note(layers)}{shown}",
        "Early − all: mean density of the first third of the layers minus that of the network, in points, at t = 1, 2",
    )
    return figure, summary


def _early_note(panel: pd.DataFrame) -> str:
    """The summary number at the first two megabatches."""
    values = panel.groupby("t")["early_minus_overall_points_mean"].first()
    parts = [f"{values[t]:+.1f}".replace("-", "−") for t in (1, 2) if t in values]
    return f"early − all: {', '.join(parts)}"
