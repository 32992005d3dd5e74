"""Compute the measures that claims name from the collected tables, for each run."""

from collections.abc import Mapping

import pandas as pd

from anytime_pruning.figures.early_layers import early_density
from anytime_pruning.figures.gap_curve import GAPS, measure_reversals
from anytime_pruning.figures.series import SERIES, STREAM

# A measure of which noise alone shows some, too, has these columns beside its value. See `noisy_sizes`.
NOISE_COLUMNS = ["with_noise", "p_value"]


def measure_runs(measure: str, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return a measure of every run.

    Args:
        measure: name of the measure, as config/claims.yaml explains.
        tables: the collected tables `runs`, `megabatches` and `layers` by name.

    Returns:
        A table indexed by the name of the run. The column `value` is the measure. How it is judged follows from the
        columns beside it: with none, by t-tests of the values. A measure of `definitions.NOISY_SIZES` has
        `NOISE_COLUMNS`: what was measured before the share of noise was subtracted, and the p-value of the simulated
        test of all seeds.

    Raises:
        KeyError: a table lacks the column of the measure.
    """
    if measure == "first_density":
        first = tables["megabatches"].query("t == 1")
        return first.set_index("run")["density_measured"].to_frame("value")
    if measure == "excess_reversal":
        found = measure_reversals(tables["megabatches"], [*STREAM, *SERIES], GAPS[0]).set_index("run")
        columns = {"excess_reversal": "value", "reversal": "with_noise", "p_value": "p_value"}
        return found[list(columns)].rename(columns=columns)
    if measure == "early_density":
        return early_density(tables["layers"]).to_frame("value")
    return tables["runs"].set_index("run")[measure].to_frame("value")
