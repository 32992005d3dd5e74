"""Measure how strongly early layers are pruned; "early" means the first third of the layers, rounded up.

Every network has at least one early layer. Every layer has the same weight in a mean, whatever its size.
"""

import pandas as pd

from anytime_pruning.figures.series import SERIES, STREAM


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
        One row for each stream, series, seed and megabatch, with `early_minus_overall_points`: the mean density of the
        early layers minus the density of the network, in percentage points. A value below zero means that early layers
        are pruned more strongly than the whole network.
    """
    keys = [*STREAM, *SERIES, "seed", "t"]
    density_pct = 100 * layers["kept"] / layers["total"]
    early_pct = density_pct[is_early(layers, keys)].groupby([layers[key] for key in keys]).mean()
    counts = layers.groupby(keys)[["kept", "total"]].sum()
    difference = early_pct - 100 * counts["kept"] / counts["total"]
    return difference.rename("early_minus_overall_points").reset_index()
