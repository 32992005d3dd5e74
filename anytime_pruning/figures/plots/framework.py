"""The method as a diagram: what happens at each megabatch of a stream, with the densities of the study's schedule."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from anytime_pruning.figures.style import WIDTH, set_title

# Steps from top to bottom: name, explanation at the left side, place.
STEPS = (
    ("arrive", "a megabatch arrives", 5.0),
    ("replay", "replay-inclusive set\n$\\tilde{M}_t = M_1 \\cup \\ldots \\cup M_t$", 4.0),
    ("sample", "sample for scoring\n$|\\pi_t| = {share}\\,|\\tilde{M}_t|$", 3.0),
    ("prune", "prune the current network,\nscored on $\\pi_t$; masks nest", 2.0),
    ("train", "train on $\\tilde{M}_t$,\nkeep the best epoch", 1.0),
    ("test", "evaluate on the test set:\ngood at any time", 0.0),
)
PLACES = {name: y for name, _, y in STEPS}
BLUE, PALE, GREY = "#0072B2", "#D6E6F2", "#555555"
# Columns: three megabatches and the last one; the data of each has its own shade.
SHADES = ("#9ECAE1", "#6BAED6", "#3182BD", "#08519C")
CELLS = 8


def draw(densities: list[float], sample_frac: float) -> tuple[plt.Figure, pd.DataFrame]:
    """One column for each megabatch, time from left to right.

    Args:
        densities: asked for at t = 1 to T.
        sample_frac: share of the replay-inclusive set that is scored on.
    """
    n_megabatches = len(densities)
    times = list(range(1, n_megabatches + 1)) if n_megabatches <= 4 else [1, 2, 3, n_megabatches]
    figure, axis = plt.subplots(figsize=(WIDTH, 4.3), layout="constrained")
    for _, text, y in STEPS:
        axis.text(-0.15, y, text.replace("{share}", f"{sample_frac:g}"), ha="right", va="center", fontsize=7.5)
    columns = [0.55 + place + (0.45 if n_megabatches > 4 and place == 3 else 0) for place in range(len(times))]
    for place, (x, t) in enumerate(zip(columns, times)):
        _draw_column(axis, x, place, t, t == n_megabatches and n_megabatches > 4, densities[t - 1])
        if place:
            _carry_over(axis, columns[place - 1], x)
    if n_megabatches > 4:
        for name in ("arrive", "replay", "sample", "train"):
            axis.text((columns[2] + columns[3]) / 2, PLACES[name], "…", ha="center", va="center", color=GREY)
    axis.set_xlim(-1.75, columns[-1] + 0.55)
    axis.set_ylim(-0.4, 5.55)
    axis.axis("off")
    set_title(
        figure,
        f"Anytime Progressive Pruning, T = {n_megabatches}: density from {densities[0]:.3f} to {densities[-1]:.3f}",
        "A diagram of the method (protocol: paper); no dataset, architecture or seed stands behind it",
    )
    return figure, pd.DataFrame({"t": range(1, n_megabatches + 1), "density_asked": densities})


def _draw_column(axis, x: float, place: int, t: int, skips: bool, density: float) -> None:
    """Everything that happens at megabatch t, from top to bottom."""
    shades = SHADES[: place + 1]
    axis.text(x, 5.42, f"$t = {t}$", ha="center", va="center", fontsize=8, fontweight="bold")
    _box(axis, x, PLACES["arrive"], 0.34, 0.3, shades[-1], f"$M_{{{t}}}$", "white" if place > 1 else "black")
    _draw_parts(axis, x, PLACES["replay"], 0.72, 0.3, shades, skips)
    _draw_parts(axis, x, PLACES["sample"], 0.4, 0.14, shades, skips)
    axis.text(x, PLACES["sample"] - 0.2, f"$\\pi_{{{t}}}$", ha="center", va="center", fontsize=8)
    _draw_network(axis, x, density)
    _box(axis, x, PLACES["train"], 0.5, 0.32, PALE, "train", "black")
    _box(axis, x, PLACES["test"], 0.5, 0.32, "white", "test", "black")
    for upper, lower, gap in (("arrive", "replay", 0.2), ("replay", "sample", 0.2), ("sample", "prune", 0.3)):
        _arrow(axis, (x, PLACES[upper] - gap), (x, PLACES[lower] + 0.3))
    _arrow(axis, (x, PLACES["prune"] - 0.46), (x, PLACES["train"] + 0.2))
    _arrow(axis, (x, PLACES["train"] - 0.2), (x, PLACES["test"] + 0.2))


def _draw_parts(axis, x: float, y: float, width: float, height: float, shades: tuple, skips: bool) -> None:
    """A set as its parts side by side, one from each megabatch so far; a gap stands for those that are not shown."""
    parts = [*shades[:-1], *([None] if skips else []), shades[-1]]
    size = width / len(parts)
    for place, shade in enumerate(parts):
        left = x - width / 2 + place * size
        if shade is None:
            axis.text(left + size / 2, y, "…", ha="center", va="center", color=GREY)
        else:
            axis.add_patch(Rectangle((left, y - height / 2), size, height, fc=shade, ec="white"))


def _draw_network(axis, x: float, density: float) -> None:
    """Weights as cells, the kept ones filled; the first ones stay kept as density falls, so masks nest to the eye."""
    order = sorted(range(CELLS * 4), key=lambda cell: (cell * 13) % (CELLS * 4))
    kept = set(order[: round(density * CELLS * 4)])
    size = 0.085
    for cell in range(CELLS * 4):
        corner = (x + (cell % CELLS - CELLS / 2) * size, PLACES["prune"] + 0.24 - (cell // CELLS + 1) * size * 1.35)
        color = BLUE if cell in kept else "white"
        axis.add_patch(Rectangle(corner, size * 0.86, size * 1.16, fc=color, ec="#AAAAAA", linewidth=0.4))
    axis.text(x, PLACES["prune"] - 0.34, f"{density:.0%} kept", ha="center", va="center", fontsize=7.5)


def _carry_over(axis, left: float, right: float) -> None:
    """The trained, pruned network goes on to the next megabatch."""
    start, end = (left + 0.27, PLACES["train"]), (right - 0.37, PLACES["prune"])
    arrow = FancyArrowPatch(
        start,
        end,
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


def _box(axis, x: float, y: float, width: float, height: float, color: str, text: str, text_color: str) -> None:
    corner = (x - width / 2, y - height / 2)
    style = "round,pad=0,rounding_size=0.05"
    axis.add_patch(FancyBboxPatch(corner, width, height, boxstyle=style, fc=color, ec=GREY, linewidth=0.8))
    axis.text(x, y, text, ha="center", va="center", fontsize=8, color=text_color)


def _arrow(axis, start: tuple[float, float], end: tuple[float, float]) -> None:
    axis.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=7, color=GREY, linewidth=0.9, shrinkA=0, shrinkB=0)
    )
