"""What several seeds say: mean and 95 % interval, and paired differences between series. No plotting.

With three or more seeds an interval is that of the mean by Student's t, mean ± t(0.975, n - 1) · s / sqrt(n); with
fewer it is the range from the lowest to the highest seed, since a spread cannot be told from so few. Differences are
paired: runs of one seed share stream, initial weights and draws. Nothing is corrected for the number of comparisons.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

MIN_SEEDS = 3
CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A mean over seeds: its interval (`low`, `high`) and the number of seeds; `p_value` of a mean of 0, if paired."""

    mean: float
    low: float
    high: float
    count: int
    p_value: float = float("nan")


def t_factor(count):
    """Half the width of an interval, in standard errors of the mean, for this many seeds (a number or an array)."""
    return stdtrit(np.asarray(count, float) - 1, 0.5 + CONFIDENCE / 2)


def estimate(values) -> Estimate:
    """Mean and interval of one value for each seed; with three or more also the p-value of a two-sided t-test for 0."""
    values = np.asarray(values, float)
    mean, count = float(values.mean()), len(values)
    if count < MIN_SEEDS:
        return Estimate(mean, float(values.min()), float(values.max()), count)
    error = float(values.std(ddof=1)) / np.sqrt(count)
    half = float(t_factor(count)) * error
    p_value = 2 * float(stdtr(count - 1, -abs(mean) / error)) if error > 0 else float(mean == 0)
    return Estimate(mean, mean - half, mean + half, count, p_value)


def paired_difference(first: pd.Series, second: pd.Series) -> Estimate:
    """`first` minus `second`, each indexed by seed, over the seeds that both have.

    Raises:
        ValueError: no seed is in both, or one is there twice.
    """
    for series in (first, second):
        if series.index.has_duplicates:
            raise ValueError(f"seed {series.index[series.index.duplicated()][0]} is there twice")
    seeds = first.index.intersection(second.index)
    if seeds.empty:
        raise ValueError("no seed in common")
    return estimate((first.loc[seeds] - second.loc[seeds]).to_numpy())


def summarize_seeds(table: pd.DataFrame, keys: list[str], columns: list[str]) -> pd.DataFrame:
    """`estimate` of some columns for every value of the keys at once.

    Args:
        table: one row for each key and seed.

    Returns:
        One row for each key, with `seeds`, and `<column>_mean`, `<column>_low`, `<column>_high`.

    Raises:
        ValueError: two rows have the same key and seed.
    """
    twice = table.duplicated([*keys, "seed"])
    if twice.any():
        raise ValueError(f"two rows are of the same run: {table.loc[twice, [*keys, 'seed']].iloc[0].to_dict()}")
    groups = table.groupby(keys, sort=True)[columns]
    means, lows, highs = groups.mean(), groups.min(), groups.max()
    counts = groups.size()
    too_few = counts < MIN_SEEDS
    halves = groups.std().mul(t_factor(counts) / np.sqrt(counts), axis="index")
    lows = lows.where(too_few, means - halves, axis="index")
    highs = highs.where(too_few, means + halves, axis="index")
    summary = pd.DataFrame({"seeds": counts})
    for column in columns:
        for name, values in (("mean", means), ("low", lows), ("high", highs)):
            summary[f"{column}_{name}"] = values[column]
    return summary.reset_index()


def name_interval(counts: pd.Series) -> str:
    """What an interval over so many seeds is, for captions."""
    interval = "95 % interval of the mean (Student's t)"
    if counts.min() >= MIN_SEEDS:
        return interval
    if counts.max() < MIN_SEEDS:
        return (
            "range over the seeds (too few for an interval)" if counts.max() > 1 else "none, as one seed has no spread"
        )
    return f"{interval}; below {MIN_SEEDS} seeds their range"
