"""The look that all figures share: fonts, a colour and marker for each series, names of things, captions."""

from typing import NamedTuple

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pandas as pd

from anytime_pruning.figures.files import SERIES, Series, ordered_series
from anytime_pruning.figures.seed_statistics import name_interval

# By method and protocol: Okabe and Ito's colours, which colour-blind readers can tell apart. A series looks the same in
# every figure, and a released one never like the paper's.
COLORS = {
    ("app", "paper"): "#0072B2",
    ("osp", "paper"): "#D55E00",
    ("dense", "paper"): "#555555",
    ("app_cubic", "paper"): "#009E73",
    ("app", "released"): "#CC79A7",
    ("osp", "released"): "#E69F00",
    ("dense", "released"): "#A0A0A0",
    ("app_cubic", "released"): "#56B4E9",
}
MARKERS = {"app": "o", "osp": "s", "dense": "D", "app_cubic": "^"}
RELEASED_MARKERS = {"app": "X", "osp": "P", "dense": "d", "app_cubic": "v"}
# Of methods of one's own: from Paul Tol's palette "muted".
OTHER_COLORS = ("#882255", "#44AA99", "#999933", "#332288")
OTHER_MARKERS = ("<", ">", "p", "h")
PRUNER_DASHES = {"snip": "-", "none": "-", "magnitude": (0, (4, 1.5)), "random": (0, (1, 1.2))}
OTHER_DASHES = ((0, (5, 1, 1, 1)), (0, (3, 1, 1, 1, 1, 1)))
# How a marker is filled; the part that is not, and the whole of magnitude's, is white.
PRUNER_FILLS = {"snip": "full", "none": "full", "magnitude": "full", "random": "bottom", "grasp": "left"}
OTHER_FILL, HOLLOW = "right", ("magnitude",)

METHOD_LABELS = {"app": "APP", "osp": "Anytime OSP", "dense": "Dense baseline", "app_cubic": "APP, cubic"}
PRUNER_LABELS = {"snip": "SNIP", "grasp": "GraSP", "synflow": "SynFlow"}
MODEL_LABELS = {
    **{f"resnet{depth}": f"ResNet-{depth}" for depth in (18, 20, 34, 44, 50, 56, 101)},
    "wide_resnet50_2": "Wide-ResNet-50-2",
    "wide_resnet101_2": "Wide-ResNet-101-2",
    "vgg16_bn": "VGG-16-BN",
}
STEM = "_imagenet_stem"
DATASET_LABELS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}
# Text width of a one-column page, in inches; figures are printed at this size.
WIDTH = 6.8
CAPTION_SIZE = 7.5


class Style(NamedTuple):
    """How one series is drawn: its line, its marker, and how that is filled."""

    color: tuple[float, ...]
    marker: str
    dash: str | tuple
    fill: str
    face: tuple[float, ...] | str

    @property
    def marker_options(self) -> dict:
        """For matplotlib's plot and errorbar, and for handles of legends."""
        return {"fillstyle": self.fill, "markerfacecolor": self.face, "markerfacecoloralt": "white"}


def set_style() -> None:
    """One look for every figure; no text is below 7 points; fonts are embedded as text."""
    plt.rcdefaults()
    plt.rcParams.update(
        {
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
    )


def styles_of(series: list[Series]) -> dict[Series, Style]:
    """The style of each series: the colour says method and protocol, dash and fill the pruner, paleness the variant."""
    styles = {}
    for one in series:
        variants = [other.variant for other in series if other[:3] == one[:3]]
        paleness = 0.6 * variants.index(one.variant) / len(variants)
        color = _mix(color_of(one.method, one.protocol), 1 - paleness)
        fill = PRUNER_FILLS.get(one.pruner, OTHER_FILL)
        face = "white" if one.pruner in HOLLOW else color
        styles[one] = Style(color, marker_of(one.method, one.protocol), dash_of(one.pruner), fill, face)
    return styles


def color_of(method: str, protocol: str) -> str:
    """The colour of a method, by protocol; methods of your own get the remaining ones."""
    return COLORS.get((method, protocol)) or OTHER_COLORS[_place(method + protocol, OTHER_COLORS)]


def marker_of(method: str, protocol: str) -> str:
    """The marker of a method, as `color_of`."""
    markers = MARKERS if protocol == "paper" else RELEASED_MARKERS
    return markers.get(method) or OTHER_MARKERS[_place(method + protocol, OTHER_MARKERS)]


def dash_of(pruner: str) -> str | tuple:
    """The line style of a pruner."""
    return PRUNER_DASHES.get(pruner) or OTHER_DASHES[_place(pruner, OTHER_DASHES)]


def _place(name: str, choices: tuple) -> int:
    return sum(map(ord, name)) % len(choices)


def _mix(color, share: float) -> tuple[float, ...]:
    """A colour mixed with so much white."""
    return tuple(1 - share * (1 - channel) for channel in matplotlib.colors.to_rgb(color))


def pruner_label(pruner: str) -> str:
    """A pruner's name in print."""
    return "not pruned" if pruner == "none" else PRUNER_LABELS.get(pruner, pruner)


def model_label(model: str) -> str:
    """An architecture's name in print."""
    label = MODEL_LABELS.get(model.removesuffix(STEM), model.removesuffix(STEM))
    return f"{label}, ImageNet stem" if model.endswith(STEM) else label


def series_label(one: Series) -> str:
    """How a series is called: the method, its pruner if it has one, and what sets it apart."""
    label = METHOD_LABELS.get(one.method, one.method)
    if one.pruner != "none":
        label += f", {pruner_label(one.pruner)}"
    if one.protocol != "paper":
        label += f" ({one.protocol})"
    return f"{label} [{one.variant}]" if one.variant else label


def describe(table: pd.DataFrame, axes: tuple[str, ...] = ("dataset", "model", "n_megabatches")) -> str:
    """Dataset, architecture, T and protocols of what a table holds: `CIFAR-10, ResNet-50, T = 8, protocol: paper`."""
    labels = {
        "dataset": lambda names: ", ".join(DATASET_LABELS.get(name, name) for name in names),
        "model": lambda names: ", ".join(map(model_label, names)),
        "n_megabatches": lambda lengths: "T = " + ", ".join(map(str, lengths)),
    }
    protocols = table["protocol"].drop_duplicates().sort_values().tolist()
    kind = f"protocol: {protocols[0]}" if len(protocols) == 1 else f"protocols: {' and '.join(protocols)} (marked)"
    return ", ".join([*(labels[axis](table[axis].drop_duplicates().sort_values().tolist()) for axis in axes), kind])


def count_seeds(table: pd.DataFrame) -> pd.Series:
    """The number of seeds of each series of each stream."""
    return table.groupby(["dataset", "model", "n_megabatches", *SERIES])["seed"].nunique()


def seeds_note(table: pd.DataFrame) -> str:
    """How many seeds stand behind the points."""
    counts = count_seeds(table)
    low, high = counts.min(), counts.max()
    return f"{low} seed{'s' if low != 1 else ''}" if low == high else f"{low} to {high} seeds"


def caption(table: pd.DataFrame, spread: str) -> str:
    """How many seeds are averaged and what is drawn (a bar, a band) for their spread."""
    return f"Mean of {seeds_note(table)}; {spread}: {name_interval(count_seeds(table))}"


def set_title(figure: plt.Figure, *lines: str) -> None:
    """The lines above a figure: what is shown, and how."""
    figure.suptitle("\n".join(lines), fontsize=CAPTION_SIZE, linespacing=1.35)


def add_legend(figure: plt.Figure, handles: list, labels: list[str]) -> None:
    """A legend below all panels, for which the figure is made higher; the longer the names, the fewer columns."""
    columns = min(3, len(labels), max(1, 124 // (max(map(len, labels)) + 6)))
    figure.set_figheight(figure.get_figheight() + 0.16 * -(-len(labels) // columns))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def fill_interval(axis, table: pd.DataFrame, x: str, column: str, color) -> None:
    """A pale band over the interval."""
    axis.fill_between(table[x], table[f"{column}_low"], table[f"{column}_high"], color=color, alpha=0.13, linewidth=0)


def pruner_columns(table: pd.DataFrame) -> dict[tuple[str, str], list[Series]]:
    """The series for each pruner and variant; methods that never prune appear beside each of them."""
    series = ordered_series(table)
    panels = dict.fromkeys((one.pruner, one.variant) for one in series if one.pruner != "none") or {("none", ""): None}
    return {
        (pruner, variant): [one for one in series if one.pruner in (pruner, "none") and one.variant in (variant, "")]
        for pruner, variant in panels
    }
