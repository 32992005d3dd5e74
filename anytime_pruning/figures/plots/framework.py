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
BLUE, PALE, DARK, HIDDEN = "#0072B2", "#D6E6F2", "#555555", "#EEEEEE"
# The first three megabatches and the last one are drawn as columns. The data of each has its own shade.
SHADES = ("#9ECAE1", "#6BAED6", "#3182BD", "#08519C")
CELLS = 8
# The set of all megabatches has this width. Megabatches that are not shown have at most the width of the next number.
SET_WIDTH, MOST_HIDDEN = 0.8, 4
# A sample is as wide as its set, and lower by its share, but not so low that nobody sees it.
SET_HEIGHT, MIN_HEIGHT = 0.3, 0.05


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
    n_hidden = min(n_megabatches - 4, MOST_HIDDEN) if is_cut else 0
    for place, (x, t) in enumerate(zip(columns, times)):
        parts: list[str | None] = [*SHADES[:place], *([None] * n_hidden if place == 3 else []), SHADES[place]]
        _draw_sets(axis, (x, t), parts, SET_WIDTH / (len(times) + n_hidden), sample_frac)
        _draw_steps(axis, x, densities[t - 1])
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


def _draw_sets(axis: Axes, column: tuple[float, int], parts: Sequence[str | None], width: float, share: float) -> None:
    """Draw the megabatch that arrives, the replay-inclusive set, and the sample for scoring.

    Args:
        axis: the only panel.
        column: middle of the column, and the index t of its megabatch.
        parts: the colour of each megabatch so far; None stands for a megabatch that is not shown.
        width: width of one megabatch, the same in all columns, so that a set grows with t.
        share: share of the set that is in the sample, in (0, 1].
    """
    (x, t), y = column, HEIGHTS
    axis.text(x, 5.42, f"$t = {t}$", ha="center", va="center", fontsize=8, fontweight="bold")
    text_color = "white" if parts[-1] in SHADES[2:] else "black"
    _draw_box(axis, (x, y["arrive"]), (0.34, 0.3), parts[-1] or "white", f"$M_{{{t}}}$", text_color)
    for name, height in (("replay", SET_HEIGHT), ("sample", max(MIN_HEIGHT, SET_HEIGHT * share))):
        left, lower = x - len(parts) * width / 2, y[name] - height / 2
        for place, color in enumerate(parts):
            corner, line = (left + place * width, lower), 0.6 if color else 0
            axis.add_patch(Rectangle(corner, width, height, fc=color or HIDDEN, ec="white", linewidth=line))
    if None in parts:
        hidden = x + (parts.index(None) + parts.count(None) / 2 - len(parts) / 2) * width
        axis.text(hidden, y["replay"], "…", ha="center", va="center", color=DARK)
    axis.text(x, y["sample"] - 0.17, f"$\\pi_{{{t}}}$", ha="center", va="center", fontsize=8)


def _draw_steps(axis: Axes, x: float, density: float) -> None:
    """Draw the network that is pruned, trained and tested in a column, and the arrows from step to step."""
    y = HEIGHTS
    _draw_network(axis, x, density)
    _draw_box(axis, (x, y["train"]), (0.5, 0.32), PALE, "train", "black")
    _draw_box(axis, (x, y["test"]), (0.5, 0.32), "white", "test", "black")
    for upper, lower, gap in (("arrive", "replay", 0.2), ("replay", "sample", 0.2), ("sample", "prune", 0.3)):
        _draw_arrow(axis, (x, y[upper] - gap), (x, y[lower] + 0.3))
    _draw_arrow(axis, (x, y["prune"] - 0.46), (x, y["train"] + 0.2))
    _draw_arrow(axis, (x, y["train"] - 0.2), (x, y["test"] + 0.2))


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
