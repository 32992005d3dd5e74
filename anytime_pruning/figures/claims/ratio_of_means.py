"""Estimate a ratio of two means over the same seeds, in percent, with the interval of Fieller.

The mean of one ratio for each seed would be dominated by seeds whose denominator is near zero. The ratio of the means
is not. A ratio r is in the interval unless a paired t-test tells the mean of `numerator - r * denominator` from zero.

Source: E. C. Fieller, Some problems in interval estimation, Journal of the Royal Statistical Society B 16 (1954),
175-185.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from anytime_pruning.figures.claims.seed_means import SeedMean
from anytime_pruning.figures.seed_statistics import CONFIDENCE, SMALLEST_SPREAD


def has_denominator(denominators: ArrayLike) -> bool:
    """Return whether the 95 % interval of the mean denominator excludes zero; otherwise no ratio can be estimated."""
    mean = SeedMean(denominators)
    if not mean.has_spread():
        return bool(mean.estimate != 0)
    low, high = mean.interval(CONFIDENCE)
    return bool(low > 0 or high < 0)


class RatioOfMeans:
    """Estimates the mean of the numerators in percent of the size of the mean denominator."""

    def __init__(self, numerators: ArrayLike, denominators: ArrayLike) -> None:
        """Take the values of each seed.

        Args:
            numerators: [n], one value for each seed.
            denominators: [n], in the same order of seeds, with `has_denominator`.
        """
        self._x: NDArray[np.float64] = 100 * np.asarray(numerators, float)
        values = np.asarray(denominators, float)
        self._y: NDArray[np.float64] = values * np.sign(values.mean())
        self.seeds = len(self._x)

    @property
    def estimate(self) -> float:
        """Return the ratio of the means, in percent."""
        return float(self._x.mean() / self._y.mean())

    def has_spread(self) -> bool:
        """Return whether the seeds differ in their ratio by more than rounding."""
        return bool(np.ptp(self._remainders(self.estimate)) > SMALLEST_SPREAD)

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the ends of Fieller's interval, in percent.

        The ends are the roots of `a r² - 2 b r + c`, where each coefficient is a product of means minus t² times the
        estimated covariance of these means.
        """
        t = stats.t.ppf(0.5 + confidence / 2, self.seeds - 1)
        means = np.array([self._x.mean(), self._y.mean()])
        products = np.outer(means, means) - t**2 * np.cov(self._x, self._y) / self.seeds
        a, b, c = products[1, 1], products[0, 1], products[0, 0]
        half = math.sqrt(max(0.0, b**2 - a * c))
        return float((b - half) / a), float((b + half) / a)

    def p_within(self, low: float, high: float) -> float:
        """Return the p-value of two one-sided t-tests that the ratio lies between two ends, in percent."""
        return max(self._p_beyond(low, "larger"), self._p_beyond(high, "smaller"))

    def effects(self, low: float, high: float) -> tuple[float, float]:
        """Return how far the ratio lies above and below two ends in percent, in standard deviations of one seed."""
        return self._effect(low), -self._effect(high)

    def _effect(self, edge: float) -> float:
        if math.isinf(edge):
            return -edge
        remainders = self._remainders(edge)
        return float(remainders.mean() / remainders.std(ddof=1))

    def _p_beyond(self, edge: float, alternative: str) -> float:
        if math.isinf(edge):
            return 0.0 if (edge < 0) == (alternative == "larger") else 1.0
        return float(DescrStatsW(self._remainders(edge)).ttest_mean(0, alternative)[1])

    def _remainders(self, ratio: float) -> NDArray[np.float64]:
        """Return each numerator minus a ratio of its denominator; at the true ratio, the expected value is 0."""
        return self._x - ratio * self._y
