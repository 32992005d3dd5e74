"""Measure how strongly the early layers of a network are pruned; every figure, table and claim takes it from here.

The early layers are the first third of the prunable layers, rounded up, so every network has at least one. The density
of a group of layers is the number of weights kept, divided by the number of all weights, both counted over the whole
group. A large layer therefore counts more than a small one, as in the density of the whole network.
"""

import pandas as pd

from anytime_pruning.figures.series import SERIES, STREAM

# Early layers are called emptied when at most this percentage of their weights is kept. The paper says that layers
# become empty but gives no number. A network of the paper keeps between 80 and 36.6 % of its weights, so 5 % is less
# than a seventh of the lowest density that is asked for.
EMPTIED_DENSITY_PCT = 5.0
# This share of the megabatches, from the first on, is the early part of a stream: 2 of 8 megabatches, 25 of 100.
EARLY_STREAM = 1 / 4
# Figures and texts name the early layers so.
EARLY_NAME = "first third of the layers (rounded up)"


def is_early(layers: pd.DataFrame, keys: list[str]) -> "pd.Series[bool]":
    """Return, for each row of the collected table `layers`, whether its layer is in the first third.

    Args:
        layers: rows in the order of the network's layers.
        keys: columns whose values identify one network at one megabatch.
    """
    groups = layers.groupby(keys, sort=False)
    depth, n_layers = groups.cumcount(), groups["layer"].transform("size")
    # This is `depth < ceil(n_layers / 3)` in whole numbers, which are exact.
    return 3 * depth < n_layers


def early_minus_overall(layers: pd.DataFrame) -> pd.DataFrame:
    """Compare the density of early layers with that of the network, for each stream, series, seed and megabatch.

    Args:
        layers: the collected table, one row for each run, megabatch and layer.

    Returns:
        One row for each stream, series, seed and megabatch, with `early_minus_overall_points`: the density of the early
        layers minus the density of the network, in percentage points. A value below zero means that early layers are
        pruned more strongly than the whole network.
    """
    keys = [*STREAM, *SERIES, "seed", "t"]
    difference = _density_pct(layers[is_early(layers, keys)], keys) - _density_pct(layers, keys)
    return difference.rename("early_minus_overall_points").reset_index()


def early_density(layers: pd.DataFrame) -> "pd.Series[float]":
    """Return the density of early layers in the early part of the stream, for each run.

    Args:
        layers: the collected table, one row for each run, megabatch and layer.

    Returns:
        The mean over the first quarter of the megabatches, which is at least one megabatch, in percent, by run.
    """
    last_t = (EARLY_STREAM * layers["n_megabatches"]).round().clip(lower=1)
    chosen = layers[is_early(layers, ["run", "t"]) & (layers["t"] <= last_t)]
    return _density_pct(chosen, ["run", "t"]).groupby("run", sort=False).mean()


def _density_pct(layers: pd.DataFrame, keys: list[str]) -> "pd.Series[float]":
    """Return the percentage of weights that each group of layers keeps."""
    counts = layers.groupby(keys)[["kept", "total"]].sum()
    return 100 * counts["kept"] / counts["total"]
