"""Estimate means over seeds with 95 % intervals, and paired differences between series.

With three or more seeds, the interval is that of the mean by Student's t, mean ± t(0.975, n - 1) · s / sqrt(n). With
fewer seeds, the interval is the range from the lowest to the highest seed, because one or two values do not determine a
spread. If all seeds have the same value, as densities and small counts may have, neither an interval nor a p-value can
be computed, since the t statistic would divide by a spread of zero. Differences are paired, because runs of the same
seed share stream, initial weights and, within one protocol, draws. Intervals are not corrected for the number of
comparisons; `holm` corrects p-values.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

# Every figure and table is made by a process of its own, and importing scipy.stats would take a second of each.
from scipy import special

from anytime_pruning.foundation.errors import DataError

MIN_SEEDS = 3
CONFIDENCE = 0.95
# Values that differ by less are equal; differences of equal decimal numbers differ by rounding in binary.
SMALLEST_SPREAD = 1e-9


class Estimate(NamedTuple):
    """Holds a mean over seeds with its interval.

    Attributes:
        mean: mean over the seeds; `mean`, `low` and `high` have the unit of the values.
        low: lower end of the interval; the mean if all seeds have the same value.
        high: upper end of the interval; the mean if all seeds have the same value.
        seeds: number of seeds.
        p_value: p-value of a two-sided t-test that the mean is 0; not a number with fewer than three seeds, or if all
            seeds have the same value.
    """

    mean: float
    low: float
    high: float
    seeds: int
    p_value: float = float("nan")

    @property
    def is_constant(self) -> bool:
        """Return whether several seeds have the same value, so that their spread says nothing about other seeds."""
        return self.seeds > 1 and self.low == self.high


def estimate(values: ArrayLike) -> Estimate:
    """Estimate the mean of one value for each seed.

    Args:
        values: [n], one value for each seed; n is at least 1.
    """
    values = np.asarray(values, float)
    mean, seeds = float(values.mean()), len(values)
    if np.ptp(values) <= SMALLEST_SPREAD:
        return Estimate(mean, mean, mean, seeds)
    if seeds < MIN_SEEDS:
        return Estimate(mean, float(values.min()), float(values.max()), seeds)
    error = float(values.std(ddof=1)) / seeds**0.5
    low, high = mean + error * special.stdtrit(seeds - 1, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    p_value = 2 * special.stdtr(seeds - 1, -abs(mean) / error)
    return Estimate(mean, float(low), float(high), seeds, float(p_value))


def interval_of(values: ArrayLike) -> tuple[float, float]:
    """Return both ends of the interval of a mean, as `estimate` does; seaborn draws it."""
    found = estimate(values)
    return found.low, found.high


def paired_difference(first: "pd.Series[float]", second: "pd.Series[float]") -> Estimate:
    """Estimate `first` minus `second` over the seeds that both have, as a paired t-test does.

    Args:
        first: values, indexed by seed.
        second: values, indexed by seed.

    Raises:
        ValueError: the two series have no seed in common, or one of them has a seed twice.
    """
    for values in (first, second):
        if values.index.has_duplicates:
            raise ValueError(f"seed {values.index[values.index.duplicated()][0]} occurs twice")
    seeds = first.index.intersection(second.index)
    if seeds.empty:
        raise ValueError("no seed in common")
    return estimate((first.loc[seeds] - second.loc[seeds]).to_numpy())


def summarize_seeds(table: pd.DataFrame, keys: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """Estimate the means of some columns for every value of the keys at once.

    Args:
        table: one row for each key and seed.
        keys: columns to group by.
        columns: columns of numbers.

    Returns:
        One row for each key, sorted, with `seeds`, and `<column>_mean`, `<column>_low`, `<column>_high` as `estimate`
        returns them.

    Raises:
        DataError: two rows have the same key and seed.
    """
    twice = table.duplicated([*keys, "seed"])
    if twice.any():
        raise DataError(f"two rows are of the same run: {table.loc[twice, [*keys, 'seed']].iloc[0].to_dict()}")
    groups = table.groupby(list(keys), sort=True)[list(columns)]
    counts = groups.size()
    too_few = counts < MIN_SEEDS
    means = groups.mean()
    halves = groups.sem().mul(special.stdtrit(counts - 1, (1 + CONFIDENCE) / 2), axis="index")
    smallest, largest = groups.min(), groups.max()
    is_constant = largest - smallest <= SMALLEST_SPREAD
    lows = (means - halves).mask(too_few, smallest, axis="index").mask(is_constant, means)
    highs = (means + halves).mask(too_few, largest, axis="index").mask(is_constant, means)
    summary = pd.DataFrame({"seeds": counts})
    for column in columns:
        for name, values in (("mean", means), ("low", lows), ("high", highs)):
            summary[f"{column}_{name}"] = values[column]
    return summary.reset_index()


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Correct p-values by Holm's method, which keeps the chance of any false positive at the chosen level.

    Args:
        p_values: [n] p-values of one family of tests; tests without a p-value (not a number) do not count.

    Returns:
        [n] corrected p-values, not below the given ones.
    """
    p_values = np.asarray(p_values, float)
    corrected = np.full_like(p_values, np.nan)
    is_tested = ~np.isnan(p_values)
    if is_tested.any():
        # This imports scipy.stats.
        from statsmodels.stats.multitest import multipletests

        corrected[is_tested] = multipletests(p_values[is_tested], method="holm")[1]
    return corrected


def name_interval(counts: "pd.Series[int]") -> str:
    """Return the words of a caption that explain the intervals over given numbers of seeds."""
    interval = "95 % interval of the mean (Student's t)"
    if counts.min() >= MIN_SEEDS:
        return interval
    if counts.max() >= MIN_SEEDS:
        return f"{interval}; below {MIN_SEEDS} seeds their range"
    return "range over the seeds (too few for an interval)" if counts.max() > 1 else "none, as one seed has no spread"
