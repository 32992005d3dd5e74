"""Estimate a size of which noise alone shows some, too, such as the points by which a curve moves back.

What noise alone would show is simulated. This expectation is not exact: a trend that the fitted trend cannot follow
counts as noise, and the expectation is then too large for every seed. A t-test over seeds cannot notice that, so it
must never take a small excess for a small size. The two ends of the size are therefore found in different ways:

- It is above a value if the excess over the expectation is, by a t-test, and if the simulated test finds it, too.
- It is below a value if what was measured, with its noise, is. Noise adds to what is measured, so this errs only by
  deciding too seldom.

The second rule cannot show that a size is small where the noise is large. Such a claim stays undecided.
"""

import math

from numpy.typing import ArrayLike
from scipy import stats

from anytime_pruning.figures.claims.seed_means import SeedMean


class NoisySize:
    """Estimates a size that is never negative, over seeds."""

    def __init__(self, excess: ArrayLike, with_noise: ArrayLike, p_value: float) -> None:
        """Take the values of each seed.

        Args:
            excess: [n], what was measured minus what noise alone is expected to show.
            with_noise: [n], what was measured, in the same order of seeds.
            p_value: of the simulated test of all seeds that the size is above zero.
        """
        self._excess, self._with_noise = SeedMean(excess), SeedMean(with_noise)
        self._p_value = p_value
        self.seeds = self._excess.seeds

    @property
    def estimate(self) -> float:
        """Return the mean excess, or zero if it is negative."""
        return max(0.0, float(self._excess.estimate))

    def has_spread(self) -> bool:
        """Return whether the seeds differ by more than rounding, both with and without what is expected of noise."""
        return self._excess.has_spread() and self._with_noise.has_spread()

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the lower end of the excess, or zero if no size is shown, and the upper end with noise."""
        is_shown = self._p_value < (1 - confidence) / 2
        low = self._excess.interval(confidence)[0] if is_shown else 0.0
        return max(0.0, float(low)), float(self._with_noise.interval(confidence)[1])

    def p_within(self, low: float, high: float) -> float:
        """Return the p-value of an equivalence test: small if the size lies between two ends."""
        p_below = self._with_noise.p_within(-math.inf, high)
        p_above = 0.0 if low < 0 else max(self._p_value, self._excess.p_within(low, math.inf))
        return float(max(p_above, p_below))

    def effects(self, low: float, high: float) -> tuple[float, float]:
        """Return how far the size lies above and below two ends, in standard deviations of one seed.

        The simulated test counts as a z-test, whose statistic grows with the square root of the number of seeds.
        """
        simulated = float(stats.norm.isf(self._p_value)) / math.sqrt(self.seeds)
        above = math.inf if low < 0 else min(self._excess.effects(low, math.inf)[0], simulated)
        return above, self._with_noise.effects(-math.inf, high)[1]
