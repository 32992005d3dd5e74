"""Decide a claim from the values of its seeds: reproduced, refuted or undecided.

The paper gives one number, of one seed or of none that is stated, so a claim is tested for equivalence. Let the range
be all values with which the claim is true: the claimed number ± its margin, or everything on the claimed side.

- **reproduced**: the 90 % interval lies in the range. This is the same as two one-sided t-tests at 5 % (TOST).
- **refuted**: the 95 % interval lies wholly outside the range. A claimed direction is also refuted if it is not
  reproduced and the 90 % interval lies in the margin around its reference, where a difference has no practical meaning.
- **undecided**: neither.

The interval of a size of which noise alone shows some, too, is that of `noisy_sizes`.

Wide intervals of few or noisy seeds are therefore undecided, and never reproduced. Each of two errors has a chance of
at most 5 %: reproduced although the true value lies outside the range or at its edge, and refuted although it lies in
the range and beyond the negligible margin.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from statsmodels.stats.power import TTestPower

from anytime_pruning.figures.claims.definitions import Claim
from anytime_pruning.figures.claims.seed_means import Measured
from anytime_pruning.figures.seed_statistics import MIN_SEEDS

REPRODUCED, REFUTED, UNDECIDED = "reproduced", "refuted", "undecided"
BY_CONSTRUCTION, NOT_TESTED = "by construction", "not tested here"
ALPHA = 0.05
POWER = 0.8
MAX_SEEDS = 1000
# At this many standard deviations the chance of a rejection is 1 in double precision with three seeds. The function of
# the chance returns no number for an infinite effect.
MAX_EFFECT = 30.0


class Decision(NamedTuple):
    """Holds a verdict with its p-values.

    Attributes:
        verdict: one of the words above.
        reason: what a reader must know beside the verdict; may be empty.
        p_reproduced: p-value of the test for `reproduced`; not a number if there was no test.
        p_refuted: p-value of the test for `refuted`; not a number if there was no test.
        seeds_to_decide: number of seeds that would decide an undecided claim; not a number if none is known.
    """

    verdict: str
    reason: str = ""
    p_reproduced: float = math.nan
    p_refuted: float = math.nan
    seeds_to_decide: float = math.nan


def decide(claim: Claim, measured: Measured) -> Decision:
    """Decide a claim by at least `MIN_SEEDS` seeds.

    Seeds without any spread have no interval, and an interval of no width must not be taken for certainty. The claim
    is undecided then, whatever the value.
    """
    if not measured.has_spread():
        return Decision(UNDECIDED, "every seed has the same value, so no interval is known")
    p_values = float(p_reproduced(claim, measured)), float(p_refuted(claim, measured))
    verdict = find_verdict(*p_values)
    if verdict != UNDECIDED:
        return Decision(verdict, "", *p_values)
    seeds = seeds_to_decide(claim, measured)
    count = f"more than {MAX_SEEDS:,}" if math.isnan(seeds) else f"about {seeds:.0f}"
    return Decision(UNDECIDED, f"{count} seeds would decide", *p_values, seeds)


def find_verdict(p_reproduced: float, p_refuted: float) -> str:
    """Return the verdict that follows from the p-values of both tests."""
    if p_reproduced < ALPHA:
        return REPRODUCED
    return REFUTED if p_refuted < ALPHA else UNDECIDED


def decide_by_construction(claim: Claim, values: ArrayLike) -> Decision:
    """Check, without statistics, that every seed has the claimed number, which the protocol prescribes."""
    low, high = claim.claimed_range
    is_met = bool(np.all((np.asarray(values) >= low) & (np.asarray(values) <= high)))
    return Decision(BY_CONSTRUCTION if is_met else REFUTED)


def p_reproduced(claim: Claim, measured: Measured) -> Any:
    """Return the p-value of the test that the true value lies in the claimed range."""
    return measured.p_within(*claim.claimed_range)


def p_refuted(claim: Claim, measured: Measured) -> Any:
    """Return the p-value of the test that the true value lies outside the claimed range, or is negligible.

    Two one-sided p-values are doubled, so that a value below 5 % means a 95 % interval outside the range.
    """
    low, high = claim.claimed_range
    outside = np.minimum(measured.p_within(-math.inf, low), measured.p_within(high, math.inf))
    p_value = np.minimum(1, 2 * outside)
    if claim.negligible_range is None:
        return p_value
    return np.minimum(p_value, measured.p_within(*claim.negligible_range))


def seeds_to_decide(claim: Claim, measured: Measured) -> float:
    """Return how many seeds would decide a claim if estimate and spread so far were the true ones."""
    low, high = claim.claimed_range
    tests = [((low, high), ALPHA), ((-math.inf, low), ALPHA / 2), ((high, math.inf), ALPHA / 2)]
    if claim.negligible_range is not None:
        tests.append((claim.negligible_range, ALPHA))
    return seeds_for(measured, tests)


def seeds_for(measured: Measured, tests: Sequence[tuple[tuple[float, float], float]]) -> float:
    """Return how many seeds would let one of several tests reject, if estimate and spread so far were the true ones.

    This is the least number of seeds with which a test rejects with a chance of at least 80 % (`POWER`). The chance is
    that of a one-sided t-test; for two edges, the two chances are combined by the inequality of Bonferroni.

    Args:
        measured: what was measured.
        tests: for each test the range in which it would show the true value to lie, and its level.

    Returns:
        The number of seeds, or not a number if `MAX_SEEDS` seeds are too few, as at the very edge of a range.
    """
    counts = np.arange(MIN_SEEDS, MAX_SEEDS + 1)
    chances = [_chance_within(measured, *ends, alpha, counts) for ends, alpha in tests]
    # The chance rises with the number of seeds. A running maximum skips counts for which it cannot be computed.
    enough = counts[np.fmax.accumulate(np.fmax.reduce(chances)) >= POWER]
    return float(enough[0]) if enough.size else math.nan


def _chance_within(
    measured: Measured, low: float, high: float, alpha: float, counts: NDArray[np.int_]
) -> NDArray[np.float64]:
    """Return, for each number of seeds, the chance of finding the value between two ends (at least this chance)."""
    effects = np.clip(measured.effects(low, high), -MAX_EFFECT, MAX_EFFECT)
    above, below = (TTestPower().power(effect, counts, alpha, alternative="larger") for effect in effects)
    return np.asarray(above + below - 1, float)
