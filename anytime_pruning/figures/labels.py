"""Make the names that figures and tables print for methods, pruners, networks, series and the contents of tables."""

from collections.abc import Sequence

import pandas as pd

from anytime_pruning.figures.seed_statistics import name_interval
from anytime_pruning.figures.series import SERIES, STREAM, Series

METHOD_LABELS = {
    "app": "APP",
    "osp": "Anytime OSP",
    "dense": "Dense baseline",
    "app_cubic": "APP, cubic",
    "dense_small": "Dense, small",
    "prune_last": "Pruned last",
    "offline": "Offline",
}
PRUNER_LABELS = {
    "none": "not pruned",
    "snip": "SNIP",
    "snip_shuffled": "SNIP, shuffled",
    "grasp": "GraSP",
    "synflow": "SynFlow",
}
DATASET_LABELS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}
MODEL_LABELS = {
    **{f"resnet{depth}": f"ResNet-{depth}" for depth in (18, 20, 34, 44, 50, 56, 101)},
    "wide_resnet50_2": "Wide-ResNet-50-2",
    "wide_resnet101_2": "Wide-ResNet-101-2",
    "vgg16_bn": "VGG-16-BN",
}
IMAGENET_STEM = "_imagenet_stem"
# The two generalization gaps, by their columns in the collected tables: the name in every figure and table, and the
# terms. Both gaps belong to the last epoch of a megabatch.
GAP_NAMES = {"generalization_gap_pct": "Gap", "clean_gap_pct": "Clean gap"}
GAP_TERMS = {
    "generalization_gap_pct": "running train − augmented validation accuracy",
    "clean_gap_pct": "train − validation accuracy, both in eval mode, not augmented",
}


def method_label(method: str) -> str:
    """Return the name of a method in print."""
    return METHOD_LABELS.get(method, method)


def pruner_label(pruner: str) -> str:
    """Return the name of a pruner in print."""
    return PRUNER_LABELS.get(pruner, pruner)


def dataset_label(dataset: str) -> str:
    """Return the name of a dataset in print; a share of images in parentheses stays as it is."""
    name, *share = dataset.split(" ", 1)
    return " ".join([DATASET_LABELS.get(name, name), *share])


def model_label(model: str) -> str:
    """Return the name of an architecture in print."""
    base = model.removesuffix(IMAGENET_STEM)
    label = MODEL_LABELS.get(base, base)
    return f"{label}, ImageNet stem" if model.endswith(IMAGENET_STEM) else label


def gap_note(*gaps: str) -> str:
    """Return a text that says what is subtracted from what in some gaps, given by their columns."""
    parts = [f"{GAP_NAMES[gap]}: {GAP_TERMS[gap]}" for gap in gaps]
    return "; ".join([parts[0], *(part[0].lower() + part[1:] for part in parts[1:])])


def series_label(series: Series) -> str:
    """Return the name of a series: the method, the pruner if any, and the settings that tell the series apart."""
    label = method_label(series.method)
    if series.pruner != "none":
        label += f", {pruner_label(series.pruner)}"
    if series.protocol != "paper":
        label += f" ({series.protocol})"
    return f"{label} [{series.variant}]" if series.variant else label


def describe(table: pd.DataFrame, axes: Sequence[str] = tuple(STREAM)) -> str:
    """Name the datasets, architectures, T and protocols of a table: `CIFAR-10, ResNet-50, T = 8, protocol: paper`.

    Args:
        table: rows of any collected table.
        axes: the columns of `STREAM` to name.
    """
    parts = []
    for axis in axes:
        values = table[axis].drop_duplicates().sort_values().tolist()
        if axis == "n_megabatches":
            parts.append("T = " + ", ".join(map(str, values)))
        else:
            parts.append(", ".join(map(dataset_label if axis == "dataset" else model_label, values)))
    protocols = table["protocol"].drop_duplicates().sort_values().tolist()
    kind = f"protocol: {protocols[0]}" if len(protocols) == 1 else f"protocols: {' and '.join(protocols)} (marked)"
    return ", ".join([*parts, kind])


def count_seeds(table: pd.DataFrame) -> "pd.Series[int]":
    """Return the number of seeds of each series of each stream."""
    return table.groupby([*STREAM, *SERIES])["seed"].nunique()


def mean_note(table: pd.DataFrame) -> str:
    """Return a text that says how many seeds are averaged in each point."""
    counts = count_seeds(table)
    low, high = counts.min(), counts.max()
    if high == 1:
        return "One seed"
    return f"Mean of {low} seeds" if low == high else f"Mean of {low} to {high} seeds"


def caption(table: pd.DataFrame, spread: str) -> str:
    """Return a text that says how many seeds are averaged, and whether bars or bands show their spread."""
    counts = count_seeds(table)
    interval = f"; {spread}: {name_interval(counts)}" if counts.max() > 1 else ", which has no interval"
    return f"{mean_note(table)}{interval}"
