"""Draw a diagram of the method: the steps at each megabatch of a stream, with the densities of the study."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from anytime_pruning.figures.style import WIDTH, set_title

# A point is a position or a size: horizontal, then vertical. The distance between columns is about 1.
Point = tuple[float, float]

# Each step, from top to bottom, has a name, an explanation at the left side, and a height.
STEPS = (
    ("arrive", "a megabatch arrives", 5.0),
    ("replay", "replay-inclusive set\n$\\tilde{M}_t = M_1 \\cup \\ldots \\cup M_t$", 4.0),
    ("sample", "sample for scoring\n$|\\pi_t| = {share}\\,|\\tilde{M}_t|$", 3.0),
    ("prune", "prune the current network,\nscored on $\\pi_t$; masks nest", 2.0),
    ("train", "train on $\\tilde{M}_t$,\nkeep the best epoch", 1.0),
    ("test", "evaluate on the test set:\ngood at any time", 0.0),
)
HEIGHTS = {name: y for name, _, y in STEPS}
BLUE, PALE, DARK = "#0072B2", "#D6E6F2", "#555555"
# The first three megabatches and the last one are drawn as columns. The data of each has its own shade.
SHADES = ("#9ECAE1", "#6BAED6", "#3182BD", "#08519C")
CELLS = 8


def draw(densities: list[float], sample_frac: float) -> tuple[Figure, pd.DataFrame]:
    """Draw one column for each megabatch, from left to right.

    Args:
        densities: the densities asked for at t = 1 to T, in (0, 1].
        sample_frac: share of the replay-inclusive set on which weights are scored, in (0, 1].
    """
    n_megabatches = len(densities)
    is_cut = n_megabatches > 4
    times = [1, 2, 3, n_megabatches] if is_cut else list(range(1, n_megabatches + 1))
    columns = [0.55 + place + (0.45 if is_cut and place == 3 else 0) for place in range(len(times))]
    figure, axis = plt.subplots(figsize=(WIDTH, 4.3), layout="constrained")
    for _, text, y in STEPS:
        axis.text(-0.15, y, text.replace("{share}", f"{sample_frac:g}"), ha="right", va="center", fontsize=7.5)
    for place, (x, t) in enumerate(zip(columns, times)):
        _draw_column(axis, x, t, SHADES[: place + 1], densities[t - 1], has_hidden=is_cut and t == n_megabatches)
        if place:
            _carry_over(axis, columns[place - 1], x)
    if is_cut:
        for name in ("arrive", "replay", "sample", "train"):
            axis.text((columns[2] + columns[3]) / 2, HEIGHTS[name], "…", ha="center", va="center", color=DARK)
    axis.set_xlim(-1.75, columns[-1] + 0.55)
    axis.set_ylim(-0.4, 5.55)
    axis.axis("off")
    set_title(
        figure,
        f"Anytime Progressive Pruning, T = {n_megabatches}: density from {densities[0]:.3f} to {densities[-1]:.3f}",
        "A diagram of the method (protocol: paper); no dataset, architecture or seed stands behind it",
    )
    return figure, pd.DataFrame({"t": range(1, n_megabatches + 1), "density_asked": densities})


def _draw_column(axis: Axes, x: float, t: int, shades: Sequence[str], density: float, has_hidden: bool) -> None:
    """Draw everything that happens at megabatch t, from top to bottom.

    Args:
        axis: the only panel.
        x: middle of the column.
        t: index of the megabatch.
        shades: one colour for each shown megabatch so far.
        density: density asked for at t.
        has_hidden: whether megabatches between the last two shades are not shown.
    """
    y = HEIGHTS
    axis.text(x, 5.42, f"$t = {t}$", ha="center", va="center", fontsize=8, fontweight="bold")
    _draw_box(axis, (x, y["arrive"]), (0.34, 0.3), shades[-1], f"$M_{{{t}}}$", "white" if len(shades) > 2 else "black")
    _draw_parts(axis, (x, y["replay"]), (0.72, 0.3), shades, has_hidden)
    _draw_parts(axis, (x, y["sample"]), (0.4, 0.14), shades, has_hidden)
    axis.text(x, y["sample"] - 0.2, f"$\\pi_{{{t}}}$", ha="center", va="center", fontsize=8)
    _draw_network(axis, x, density)
    _draw_box(axis, (x, y["train"]), (0.5, 0.32), PALE, "train", "black")
    _draw_box(axis, (x, y["test"]), (0.5, 0.32), "white", "test", "black")
    for upper, lower, gap in (("arrive", "replay", 0.2), ("replay", "sample", 0.2), ("sample", "prune", 0.3)):
        _draw_arrow(axis, (x, y[upper] - gap), (x, y[lower] + 0.3))
    _draw_arrow(axis, (x, y["prune"] - 0.46), (x, y["train"] + 0.2))
    _draw_arrow(axis, (x, y["train"] - 0.2), (x, y["test"] + 0.2))


def _draw_parts(axis: Axes, center: Point, size: Point, shades: Sequence[str], has_hidden: bool) -> None:
    """Draw a set as parts side by side, one for each megabatch; a gap stands for megabatches that are not shown."""
    parts = [*shades[:-1], *([None] if has_hidden else []), shades[-1]]
    width = size[0] / len(parts)
    for place, shade in enumerate(parts):
        left = center[0] - size[0] / 2 + place * width
        if shade is None:
            axis.text(left + width / 2, center[1], "…", ha="center", va="center", color=DARK)
        else:
            axis.add_patch(Rectangle((left, center[1] - size[1] / 2), width, size[1], fc=shade, ec="white"))


def _draw_network(axis: Axes, x: float, density: float) -> None:
    """Draw weights as cells, in which filled cells are kept weights.

    The cells are filled in a fixed order, so that a reader sees how masks nest while the density falls.
    """
    order = sorted(range(CELLS * 4), key=lambda cell: (cell * 13) % (CELLS * 4))
    kept = set(order[: round(density * CELLS * 4)])
    size = 0.085
    for cell in range(CELLS * 4):
        corner = (x + (cell % CELLS - CELLS / 2) * size, HEIGHTS["prune"] + 0.24 - (cell // CELLS + 1) * size * 1.35)
        color = BLUE if cell in kept else "white"
        axis.add_patch(Rectangle(corner, size * 0.86, size * 1.16, fc=color, ec="#AAAAAA", linewidth=0.4))
    axis.text(x, HEIGHTS["prune"] - 0.34, f"{density:.0%} kept", ha="center", va="center", fontsize=7.5)


def _carry_over(axis: Axes, left: float, right: float) -> None:
    """Draw an arrow by which the trained network enters the next column; an arrow over hidden columns is dashed."""
    arrow = FancyArrowPatch(
        (left + 0.27, HEIGHTS["train"]),
        (right - 0.37, HEIGHTS["prune"]),
        arrowstyle="-|>",
        mutation_scale=9,
        color=BLUE,
        linewidth=1.1,
        linestyle="-" if right - left < 1.2 else (0, (3, 2)),
        connectionstyle="arc3,rad=0.25",
        shrinkA=0,
        shrinkB=0,
    )
    axis.add_patch(arrow)


def _draw_box(axis: Axes, center: Point, size: Point, color: str, text: str, text_color: str) -> None:
    """Draw a box with rounded corners around a text."""
    corner = (center[0] - size[0] / 2, center[1] - size[1] / 2)
    style = "round,pad=0,rounding_size=0.05"
    axis.add_patch(FancyBboxPatch(corner, *size, boxstyle=style, fc=color, ec=DARK, linewidth=0.8))
    axis.text(*center, text, ha="center", va="center", fontsize=8, color=text_color)


def _draw_arrow(axis: Axes, start: Point, end: Point) -> None:
    axis.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=7, color=DARK, linewidth=0.9, shrinkA=0, shrinkB=0)
    )
