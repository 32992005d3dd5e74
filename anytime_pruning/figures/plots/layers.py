"""Draw the density of every prunable layer after each megabatch, a panel for each series that is pruned repeatedly.

The number on each panel, early − all, comes from `early_layers.early_minus_overall` and is averaged over seeds.
"""

from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from anytime_pruning.figures.early_layers import EARLY_NAME, early_minus_overall
from anytime_pruning.figures.fast_seaborn import sns
from anytime_pruning.figures.labels import describe, mean_note, series_label
from anytime_pruning.figures.plots.parts.grid import PanelGrid, make_grid
from anytime_pruning.figures.seed_statistics import summarize_seeds
from anytime_pruning.figures.series import SERIES, STREAM, of_series, ordered_series
from anytime_pruning.figures.style import Color, Dash, add_legend, sequential_colors, set_title

# Deep networks have many narrow panels side by side, and others have few wide ones.
MAX_COLUMNS, MAX_COLUMNS_DEEP, DEEP = 3, 7, 30
# On a longer stream, only this number of megabatches is drawn, including the first and the last one.
MAX_LINES = 12
# A layer's name needs this height in inches. Deeper networks than the next number have some of their layers named.
ROW_HEIGHT, MOST_NAMES = 0.115, 64
# This number of letters fits into a narrow panel's title.
NARROW = 12
BROKEN: Dash = (0, (4, 2))


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


def draw(layers: pd.DataFrame, megabatches: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Draw a row for each layer, from the input at the top; darker lines are later megabatches.

    Args:
        layers: the collected table, rows of one stream in the order of the network's layers.
        megabatches: the collected table, rows of the same runs.

    Returns:
        The picture, and its numbers with one row for each series, megabatch and layer.
    """
    summary = summarize(layers)
    asked = 100 * megabatches.groupby([*SERIES, "t"])["density_asked"].mean()
    names = summary.groupby("depth")["layer"].first()
    n_megabatches = int(summary["t"].max())
    step = max(1, (n_megabatches - 1) / (MAX_LINES - 1))
    times = sorted({round(1 + step * place) for place in range(MAX_LINES) if 1 + step * place <= n_megabatches + 0.5})
    colors = dict(enumerate(sequential_colors(n_megabatches), start=1))
    series = ordered_series(layers)
    grid = make_grid(
        len(series),
        1,
        MAX_COLUMNS_DEEP if len(names) > DEEP else 2 if len(series) == 4 else MAX_COLUMNS,
        (0.75 + ROW_HEIGHT * min(len(names), MOST_NAMES), 0.65),
        sharex=True,
        sharey=True,
    )
    for axis, one in zip(grid.row(0), series):
        panel = of_series(summary, one)
        _draw_lines(axis, panel[panel["t"].isin(times)], colors)
        for t in (1, n_megabatches):
            axis.axvline(asked[(*one, t)], color=colors[t], linestyle=BROKEN, linewidth=0.9, zorder=1)
        axis.set_title(_name_panel(series_label(one), panel, grid.width), fontsize=7.5)
    _label_axes(grid, names)
    _add_keys(grid, colors)
    shown = f"; {len(times)} of {n_megabatches} megabatches are drawn" if len(times) < n_megabatches else ""
    set_title(
        grid.figure,
        describe(layers),
        f"{mean_note(layers)}{shown}",
        f"Early − all: density of the {EARLY_NAME} minus that of the network, in points, at t = 1, 2",
    )
    return grid.figure, summary


def _draw_lines(axis: Axes, panel: pd.DataFrame, colors: dict[int, Color]) -> None:
    sns.lineplot(
        panel,
        x="density_pct_mean",
        y="depth",
        orient="y",
        hue="t",
        palette={t: colors[t] for t in panel["t"].unique()},
        errorbar=None,
        marker=".",
        markersize=4,
        markeredgewidth=0,
        linewidth=1.0,
        legend=False,
        ax=axis,
    )
    axis.set(xlabel="", ylabel="", xlim=(0, 103))


def _name_panel(name: str, panel: pd.DataFrame, n_columns: int) -> str:
    """Return the title of a panel, with the number early − all at the first two megabatches."""
    values = panel.groupby("t")["early_minus_overall_points_mean"].first()
    parts = [f"{values[t]:+.1f}".replace("-", "−") for t in (1, 2) if t in values]
    if n_columns > MAX_COLUMNS:
        return "\n".join([fill(name, NARROW), "early − all:", ",\n".join(parts)])
    return f"{name}\nearly − all: {', '.join(parts)}"


def _label_axes(grid: PanelGrid, names: "pd.Series[str]") -> None:
    """Name the layers, or every second or third of them if there are too many."""
    shown = names.iloc[:: -(-len(names) // MOST_NAMES)]
    texts = [name.removeprefix("network.").removesuffix(".weight") for name in shown]
    first = grid.row(0)[0]
    first.set_ylim(len(names) + 0.6, 0.4)
    first.set_yticks(shown.index, texts, fontsize=7)
    for axis in grid.row(0):
        axis.grid(axis="y", linewidth=0.4)
        axis.tick_params(axis="y", length=0)
        axis.set_xticks(range(0, 101, 25 if grid.width <= MAX_COLUMNS else 50))
    for axis in grid.lowest():
        axis.set_xlabel("Weights kept (%)" if grid.width <= MAX_COLUMNS else "Kept (%)")
        axis.tick_params(labelbottom=True)


def _add_keys(grid: PanelGrid, colors: dict[int, Color]) -> None:
    """Add the scale of colours at the right side, and the meaning of the broken lines below."""
    axes: list[Axes] = grid.axes.ravel().tolist()
    last = max(colors)
    scale = ScalarMappable(BoundaryNorm([t + 0.5 for t in (0, *colors)], last), ListedColormap(list(colors.values())))
    bar = grid.figure.colorbar(scale, ax=axes, label="Megabatch index t", pad=0.01, aspect=22 * grid.n_blocks)
    bar.ax.yaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    bar.ax.minorticks_off()
    handle = Line2D([], [], color=colors[last], linestyle=BROKEN, linewidth=0.9)
    add_legend(grid.figure, [handle], [f"density asked of the whole network at t = 1 and t = {last}"])
