"""Judge one claim on one stream under one protocol, from the measured values of its seeds."""

import math
from typing import NamedTuple

import pandas as pd

from anytime_pruning.figures.claims.decisions import (
    ALPHA,
    NOT_TESTED,
    UNDECIDED,
    Decision,
    decide,
    decide_by_construction,
)
from anytime_pruning.figures.claims.definitions import Claim
from anytime_pruning.figures.claims.noisy_sizes import NoisySize
from anytime_pruning.figures.claims.ratio_of_means import RatioOfMeans, has_denominator
from anytime_pruning.figures.claims.seed_means import Measured, SeedMean
from anytime_pruning.figures.seed_statistics import MIN_SEEDS


class Judgement(NamedTuple):
    """Holds the verdict on a claim with every number behind it; numbers that do not exist are not a number.

    Attributes:
        verdict: one of the words of `decisions`.
        reason: what a reader must know beside the verdict; may be empty.
        seeds: number of seeds; where two series are compared, of those that both have.
        measured: mean over seeds, or the ratio of two means in percent; of a size with noise, what exceeds the noise.
        low_90: lower end of the 90 % interval, which decides `reproduced`.
        high_90: upper end of the 90 % interval.
        low_95: lower end of the 95 % interval, which decides `refuted`.
        high_95: upper end of the 95 % interval.
        p_reproduced: p-value of the test for `reproduced`.
        p_refuted: p-value of the test for `refuted`.
        seeds_to_decide: number of seeds that would decide an undecided claim.
    """

    verdict: str
    reason: str = ""
    seeds: int = 0
    measured: float = math.nan
    low_90: float = math.nan
    high_90: float = math.nan
    low_95: float = math.nan
    high_95: float = math.nan
    p_reproduced: float = math.nan
    p_refuted: float = math.nan
    seeds_to_decide: float = math.nan


def judge(
    claim: Claim,
    protocol: str,
    first: "pd.Series[float]",
    second: "pd.Series[float] | None" = None,
    noise: pd.DataFrame | None = None,
) -> Judgement:
    """Judge a claim.

    Args:
        claim: a claim of the paper.
        protocol: the protocol of the runs, under which the claim may hold by construction.
        first: values of the first series, indexed by seed.
        second: values of the second series, indexed by seed, if the claim has one.
        noise: the columns `NOISE_COLUMNS` of the first series, indexed by the same seeds, if its measure has them.
    """
    if second is not None:
        first, second = first.align(second, join="inner")
    values = first if second is None else first - second
    seeds = len(values)
    if seeds and protocol in claim.by_construction:
        return _with_numbers(decide_by_construction(claim, values), SeedMean(values))
    if seeds < MIN_SEEDS:
        return Judgement(NOT_TESTED, f"fewer than {MIN_SEEDS} seeds" if seeds else "", seeds)
    if claim.relative and second is not None:
        if not has_denominator(second):
            return Judgement(UNDECIDED, "the denominator cannot be told from zero, so there is no ratio", seeds)
        ratio = RatioOfMeans(values, second)
        return _with_numbers(decide(claim, ratio), ratio)
    # All seeds of a series have the same p-value, because it is that of the series.
    measured = SeedMean(values) if noise is None else NoisySize(values, noise["with_noise"], noise["p_value"].max())
    return _with_numbers(decide(claim, measured), measured)


def _with_numbers(decision: Decision, measured: Measured) -> Judgement:
    """Return a decision with the estimate, and with both intervals if the seeds differ."""
    found = Judgement(*decision[:2], measured.seeds, float(measured.estimate))._replace(
        p_reproduced=decision.p_reproduced, p_refuted=decision.p_refuted, seeds_to_decide=decision.seeds_to_decide
    )
    if not measured.has_spread():
        return found
    (low_90, high_90), (low_95, high_95) = measured.interval(1 - 2 * ALPHA), measured.interval(1 - ALPHA)
    return found._replace(low_90=low_90, high_90=high_90, low_95=low_95, high_95=high_95)
