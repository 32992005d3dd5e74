"""What all figures share: the look, a colour and marker for each method, reading tables, writing PDF, PNG and CSV."""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns

# Okabe and Ito's colours, which colour-blind readers can tell apart. A method looks the same in every figure.
METHOD_COLORS = {"app": "#0072B2", "osp": "#D55E00", "dense": "#555555"}
METHOD_MARKERS = {"app": "o", "osp": "s", "dense": "D"}
METHOD_LABELS = {"app": "APP", "osp": "Anytime OSP", "dense": "Dense baseline"}
OTHER_COLORS = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9")
OTHER_MARKERS = ("^", "v", "P", "X")

PRUNER_LABELS = {"snip": "SNIP", "magnitude": "magnitude", "random": "random"}
PRUNER_DASHES = {"snip": "-", "magnitude": (0, (4, 1.5)), "none": "-", "random": (0, (1, 1.2))}
PRUNER_FILLS = {"snip": 1.0, "none": 1.0, "magnitude": 0.0, "random": 0.45}
MODEL_LABELS = {
    "resnet18": "ResNet-18",
    "resnet20": "ResNet-20",
    "resnet50": "ResNet-50",
    "vgg16_bn": "VGG-16-BN",
}
DATASET_LABELS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}
# Text width of a one-column page, in inches.
WIDTH = 6.8


def set_style() -> None:
    """One look for every figure; fonts are embedded as text."""
    sns.set_theme(context="paper", style="whitegrid", font_scale=0.95)
    plt.rcParams.update(
        {
            "axes.edgecolor": "#444444",
            "axes.linewidth": 0.8,
            "axes.titlesize": 9,
            "figure.dpi": 100,
            "grid.color": "#E4E4E4",
            "legend.frameon": False,
            "lines.linewidth": 1.4,
            "lines.markersize": 5,
            "pdf.fonttype": 42,
            "savefig.dpi": 200,
        }
    )


def color_of(method: str) -> str:
    """The method's colour, the same in every figure; methods of your own get the remaining ones."""
    return METHOD_COLORS.get(method) or OTHER_COLORS[sum(map(ord, method)) % len(OTHER_COLORS)]


def marker_of(method: str) -> str:
    """The method's marker, as `color_of`."""
    return METHOD_MARKERS.get(method) or OTHER_MARKERS[sum(map(ord, method)) % len(OTHER_MARKERS)]


def face_of(method: str, pruner: str):
    """Colour inside a marker: full for SNIP, white for magnitude, between for others: pruners differ in print."""
    share = PRUNER_FILLS.get(pruner, 0.45)
    rgb = matplotlib.colors.to_rgb(color_of(method))
    return tuple(1 - share * (1 - channel) for channel in rgb)


def dash_of(pruner: str):
    """Line style of a pruner."""
    return PRUNER_DASHES.get(pruner, (0, (1, 1.2)))


def series_label(method: str, pruner: str, variant: str = "") -> str:
    """How a series is called: the method, its pruner if it has one, and settings that set it apart."""
    label = METHOD_LABELS.get(method, method)
    if pruner != "none":
        label += f", {PRUNER_LABELS.get(pruner, pruner)}"
    return f"{label} [{variant}]" if variant else label


def describe(dataset: str, model: str | None = None, n_megabatches: int | None = None) -> str:
    """What a panel shows: dataset, architecture, T."""
    parts = [DATASET_LABELS.get(dataset, dataset)]
    if model is not None:
        parts.append(MODEL_LABELS.get(model, model))
    if n_megabatches is not None:
        parts.append(f"T = {n_megabatches}")
    return ", ".join(parts)


def seeds_note(table: pd.DataFrame) -> str:
    """How many seeds stand behind the points, for the caption line of a figure."""
    counts = table.groupby(["dataset", "model", "n_megabatches", *SERIES])["seed"].nunique()
    low, high = counts.min(), counts.max()
    return f"{low} seed{'s' if low != 1 else ''}" if low == high else f"{low} to {high} seeds"


# What sets the lines of a panel apart, besides dataset, model and T.
SERIES = ["method", "pruner", "variant"]


def ordered_series(table: pd.DataFrame) -> list[tuple[str, str, str]]:
    """The series of a table: APP, OSP, dense, then others; SNIP before other pruners."""
    methods, pruners = list(METHOD_COLORS), list(PRUNER_LABELS)
    found = table[SERIES].drop_duplicates().itertuples(index=False, name=None)

    def place(series: tuple[str, str, str]):
        method, pruner, variant = series
        return (
            methods.index(method) if method in methods else len(methods),
            method,
            pruners.index(pruner) if pruner in pruners else len(pruners),
            pruner,
            variant,
        )

    return sorted(found, key=place)


def of_series(table: pd.DataFrame, series: tuple[str, str, str]) -> pd.DataFrame:
    """The rows of one series."""
    return table[(table[SERIES] == list(series)).all(axis="columns")]


def read_table(path: Path, **where) -> pd.DataFrame:
    """One of the collected tables, only rows whose columns have the given values."""
    # The word `none` is a pruner's name here, not a missing value.
    names = dict.fromkeys(("dataset", "model", "method", "pruner", "variant"), str)
    table = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=names)
    table["variant"] = table["variant"].fillna("").astype(str)
    for column, value in where.items():
        table = table[table[column] == value]
    if table.empty:
        raise SystemExit(f"error: {path} has no rows with {where}")
    return table


def aggregate(table: pd.DataFrame, keys: list[str], columns: list[str]) -> pd.DataFrame:
    """Mean, minimum and maximum over seeds of some columns, as `<column>_mean` and so on, one row for each key."""
    summary = table.groupby(keys)[columns].agg(["mean", "min", "max"])
    summary.columns = ["_".join(column) for column in summary.columns]
    return summary.reset_index()


def fill_range(axis, table: pd.DataFrame, x: str, column: str, color: str) -> None:
    """A pale band from the lowest to the highest seed."""
    axis.fill_between(table[x], table[f"{column}_min"], table[f"{column}_max"], color=color, alpha=0.1, linewidth=0)


def with_kind(stem: Path, kind: str) -> Path:
    """The stem with an ending added; names of datasets may hold dots, so nothing is cut off."""
    return stem.with_name(f"{stem.name}.{kind}")


def save_figure(figure: plt.Figure, data: pd.DataFrame, stem: Path) -> None:
    """Write <stem>.pdf, .png and .csv; the same data gives the same bytes (no dates inside)."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(with_kind(stem, "pdf"), bbox_inches="tight", metadata={"CreationDate": None, "ModDate": None})
    figure.savefig(with_kind(stem, "png"), bbox_inches="tight", metadata={"Software": None})
    data.to_csv(with_kind(stem, "csv"), index=False, lineterminator="\n", float_format="%.6g")
    plt.close(figure)


def figure_options(description: str, *filters: str) -> argparse.Namespace:
    """Command line of a figure: the collected table, the output without suffix, and what to show."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("table", type=Path, help="one of the collected tables")
    parser.add_argument("stem", type=Path, help="output path without suffix")
    for name in filters:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int if name == "n_megabatches" else str, required=True)
    return parser.parse_args()
