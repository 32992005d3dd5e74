"""Compute the measures that claims name from the collected tables, with one value for each run."""

from collections.abc import Mapping

import pandas as pd

from anytime_pruning.figures.early_layers import is_early
from anytime_pruning.figures.gap_curve import GAPS, direction_changes

EARLY_STREAM = 1 / 4


def measure_runs(measure: str, tables: Mapping[str, pd.DataFrame]) -> "pd.Series[float]":
    """Return a measure of every run, indexed by the name of the run.

    Args:
        measure: name of the measure, as config/claims.yaml explains.
        tables: the collected tables `runs`, `megabatches` and `layers` by name.

    Raises:
        KeyError: a table lacks the column of the measure.
    """
    if measure == "first_density":
        first = tables["megabatches"].query("t == 1")
        return first.set_index("run")["density_measured"]
    if measure == "direction_changes":
        counted = direction_changes(tables["megabatches"], ["run"], GAPS[0])
        return counted.set_index("run")["direction_changes"]
    if measure == "early_density":
        return early_density(tables["layers"])
    return tables["runs"].set_index("run")[measure]


def early_density(layers: pd.DataFrame) -> "pd.Series[float]":
    """Return the mean density of early layers over the first quarter of the megabatches, in percent, for each run.

    Every layer has the same weight in the mean, whatever its size. A quarter of a stream is at least one megabatch.

    Args:
        layers: the collected table, one row for each run, megabatch and layer.
    """
    last_t = (EARLY_STREAM * layers["n_megabatches"]).round().clip(lower=1)
    chosen = layers[is_early(layers, ["run", "t"]) & (layers["t"] <= last_t)]
    density_pct = 100 * chosen["kept"] / chosen["total"]
    return density_pct.groupby(chosen["run"], sort=False).mean()
