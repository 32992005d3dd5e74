"""Set the look of all figures: fonts, and a colour, marker and dash for each series."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any, NamedTuple

import matplotlib

# The backend is set before pyplot is imported, because machines that draw these files may have no display.
matplotlib.use("agg")

import matplotlib.pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from anytime_pruning.figures.fast_seaborn import sns
from anytime_pruning.figures.files import save_picture
from anytime_pruning.figures.series import Series

Color = tuple[float, float, float] | str
Dash = Any  # "-" or (offset, (on, off, ...)) in points; matplotlib's own annotation is private

# The keys are methods and protocols. The colours are those of Okabe and Ito, and three of Paul Tol's "muted", which
# colour-blind readers can tell apart. A series looks the same in every figure, and the two protocols never look alike.
COLORS = {
    ("app", "paper"): "#0072B2",
    ("osp", "paper"): "#D55E00",
    ("dense", "paper"): "#555555",
    ("app_cubic", "paper"): "#009E73",
    ("prune_last", "paper"): "#882255",
    ("dense_small", "paper"): "#999933",
    ("offline", "paper"): "#332288",
    ("app", "released"): "#CC79A7",
    ("osp", "released"): "#E69F00",
    ("dense", "released"): "#A0A0A0",
    ("app_cubic", "released"): "#56B4E9",
}
MARKERS = {
    "app": "o",
    "osp": "s",
    "dense": "D",
    "app_cubic": "^",
    "prune_last": "<",
    "dense_small": "p",
    "offline": "h",
}
RELEASED_MARKERS = {"app": "X", "osp": "P", "dense": "d", "app_cubic": "v"}
# Methods that are not in the tables above get one of these colours of Paul Tol's by their name.
OTHER_COLORS = ("#44AA99", "#AA4499", "#661100", "#6699CC")
OTHER_MARKERS = (">", "8", "*", "H")
PRUNER_DASHES: dict[str, Dash] = {"snip": "-", "none": "-", "magnitude": (0, (4, 1.5)), "random": (0, (1, 1.2))}
OTHER_DASHES: tuple[Dash, ...] = ((0, (5, 1, 1, 1)), (0, (3, 1, 1, 1, 1, 1)))
# This part of a marker is filled, and the other part is white. The marker of a hollow pruner is completely white.
PRUNER_FILLS = {"snip": "full", "none": "full", "magnitude": "full", "random": "bottom", "grasp": "left"}
OTHER_FILL, HOLLOW = "right", ("magnitude",)

# The lightness of this map of seaborn's falls evenly, so it is readable in grey and by colour-blind readers.
SEQUENTIAL = "flare"

# This is the text width of a one-column page in inches. Figures are printed at this size.
WIDTH = 6.8
TITLE_SIZE = 7.5
# This number of characters of a title fits into the width of a page.
TITLE_LENGTH = 116
GREY = "#888888"
# The annotation is Any, because matplotlib's own annotation lists all names of settings.
RC_PARAMS: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#444444",
    "axes.grid": True,
    "axes.labelsize": 8,
    "axes.linewidth": 0.8,
    "axes.titlesize": 8.5,
    "figure.dpi": 100,
    "font.size": 8,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.8,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.5,
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
    "xtick.labelsize": 7.5,
    "xtick.major.size": 2.5,
    "ytick.labelsize": 7.5,
    "ytick.major.size": 2.5,
}


class Style(NamedTuple):
    """Holds the look of the line and the marker of one series.

    Attributes:
        color: colour of the line and the marker.
        marker: matplotlib's name of the marker's shape.
        dash: line style.
        fill: the part of the marker that is filled with `face`; the other part is white.
        face: colour of the filled part.
    """

    color: Color
    marker: str
    dash: Dash
    fill: str
    face: Color

    @property
    def marker_options(self) -> dict[str, Any]:
        """Return keyword arguments for `Axes.plot`, `Axes.errorbar` and `Line2D`."""
        return {"fillstyle": self.fill, "markerfacecolor": self.face, "markerfacecoloralt": "white"}

    def legend_handle(self) -> Line2D:
        """Return a line with a marker for a legend."""
        return Line2D([], [], color=self.color, linestyle=self.dash, marker=self.marker, **self.marker_options)


def set_style() -> None:
    """Give all figures the same look, in which no text is smaller than 7 points and PDFs embed fonts as text."""
    plt.rcdefaults()
    plt.rcParams.update(RC_PARAMS)


def styles_of(series: list[Series]) -> dict[Series, Style]:
    """Return the style of each series.

    The colour shows method and protocol, the dash and the fill show the pruner, and a paler colour shows a variant.
    """
    styles = {}
    for one in series:
        variants = [other.variant for other in series if other[:3] == one[:3]]
        white = 0.6 * variants.index(one.variant) / len(variants)
        color = _mix_with_white(color_of(one.method, one.protocol), white)
        fill = PRUNER_FILLS.get(one.pruner, OTHER_FILL)
        face = "white" if one.pruner in HOLLOW else color
        styles[one] = Style(color, marker_of(one.method, one.protocol), dash_of(one.pruner), fill, face)
    return styles


def color_of(method: str, protocol: str) -> str:
    """Return the colour of a method under a protocol."""
    return COLORS.get((method, protocol)) or OTHER_COLORS[_place(method + protocol, OTHER_COLORS)]


def marker_of(method: str, protocol: str) -> str:
    """Return the marker of a method under a protocol."""
    markers = MARKERS if protocol == "paper" else RELEASED_MARKERS
    return markers.get(method) or OTHER_MARKERS[_place(method + protocol, OTHER_MARKERS)]


def dash_of(pruner: str) -> Dash:
    """Return the line style of a pruner."""
    return PRUNER_DASHES.get(pruner) or OTHER_DASHES[_place(pruner, OTHER_DASHES)]


def sequential_colors(count: int) -> list[Color]:
    """Return colours for a quantity that grows, from light to dark; the lightest is well visible on white."""
    return list(sns.color_palette(SEQUENTIAL, count))


def _place(name: str, choices: Sequence[object]) -> int:
    """Return a position among choices that depends only on the name, so that a name looks the same in all figures."""
    return sum(map(ord, name)) % len(choices)


def _mix_with_white(color: str, white: float) -> tuple[float, float, float]:
    red, green, blue = (1 - (1 - white) * (1 - channel) for channel in to_rgb(color))
    return red, green, blue


def set_title(figure: Figure, *lines: str) -> None:
    """Write lines above a figure, as its title and notes; lines that are wider than the page are wrapped."""
    shown = [part for line in lines for part in wrap(line, TITLE_LENGTH)]
    figure.suptitle("\n".join(shown), fontsize=TITLE_SIZE, linespacing=1.35)


def add_legend(figure: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """Add a legend below all panels and make the figure higher for it; long names give fewer columns."""
    columns = min(3, len(labels), max(1, 124 // (max(map(len, labels)) + 6)))
    figure.set_figheight(figure.get_figheight() + 0.16 * -(-len(labels) // columns))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def save_lines(lines: Sequence[str], path: Path) -> None:
    """Write a picture that shows lines of text instead of a figure."""
    set_style()
    figure = plt.figure(figsize=(WIDTH, 0.6 + 0.15 * len(lines)))
    figure.text(0.03, 0.5, "\n".join(lines), va="center", fontsize=7, family="monospace", color="#AA0000")
    save_picture(figure, path)
    plt.close(figure)
