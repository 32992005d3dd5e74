"""Measure whether the generalization gap of a series moves back along the stream, which a monotone gap does not do."""

from typing import Any

import pandas as pd

from anytime_pruning.figures.labels import GAP_NAMES
from anytime_pruning.figures.reversals.curves import window_of
from anytime_pruning.figures.reversals.null import compare_with_monotone
from anytime_pruning.figures.stream_length import has_curve

# The generalization gap is measured in two ways, which are two columns of the collected table `megabatches`.
GAPS = tuple(GAP_NAMES)
COLUMNS = [
    *("window", "direction_changes", "expected_changes", "excess_changes"),
    *("reversal", "expected_reversal", "excess_reversal", "p_value"),
]


def measure_reversals(megabatches: pd.DataFrame, keys: list[str], column: str) -> pd.DataFrame:
    """Compare a column's curve over megabatches with monotone curves that have the same noise, for each seed.

    Args:
        megabatches: the collected table, one row for each run and megabatch.
        keys: columns whose values identify one series on one stream; all its seeds have the same noise.
        column: name of a column of numbers.

    Returns:
        One row for each key and seed, with `run`, `window` (number of megabatches over which curves are smoothed),
        `direction_changes`, `expected_changes` and `excess_changes`, `reversal`, `expected_reversal` and
        `excess_reversal` (in the unit of the column), and `p_value`. The excess is what was measured minus what is
        expected under the null hypothesis of `reversals.null`. The p-value is that of all seeds of the key together.
        Series whose stream is too short for a curve have no rows.
    """
    rows: list[pd.DataFrame] = []
    for key, series in megabatches.groupby(keys):
        curves = series.pivot(index=["seed", "run"], columns="t", values=column)
        length = curves.shape[1]
        if not has_curve(length):
            continue
        found = compare_with_monotone(curves.to_numpy(float))
        columns: dict[str, Any] = {
            **dict(zip(keys, key)),
            **{name: curves.index.get_level_values(name) for name in ("seed", "run")},
            "window": window_of(length),
            "direction_changes": found.changes,
            "expected_changes": found.expected_changes,
            "excess_changes": found.changes - found.expected_changes,
            "reversal": found.reversals,
            "expected_reversal": found.expected_reversals,
            "excess_reversal": found.reversals - found.expected_reversals,
            "p_value": found.p_value,
        }
        rows.append(pd.DataFrame(columns))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=[*keys, "seed", "run", *COLUMNS])
