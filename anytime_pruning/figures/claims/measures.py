"""Compute the measures that claims name from the collected tables, with one value for each run."""

from collections.abc import Mapping

import pandas as pd

from anytime_pruning.figures.early_layers import early_density
from anytime_pruning.figures.gap_curve import GAPS, measure_reversals
from anytime_pruning.figures.series import SERIES, STREAM


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
    if measure == "excess_reversal":
        return measure_reversals(tables["megabatches"], [*STREAM, *SERIES], GAPS[0]).set_index("run")["excess_reversal"]
    if measure == "early_density":
        return early_density(tables["layers"])
    return tables["runs"].set_index("run")[measure]
