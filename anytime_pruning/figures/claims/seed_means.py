"""Estimate the mean of one value for each seed, with the tests that verdicts need."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from statsmodels.stats.weightstats import DescrStatsW

from anytime_pruning.figures.seed_statistics import SMALLEST_SPREAD


class Measured(Protocol):
    """Holds what was measured over seeds: a mean, a ratio of two means, or a size with noise."""

    seeds: int

    @property
    def estimate(self) -> Any:
        """Return the estimate, in the unit of the claim."""

    def has_spread(self) -> bool:
        """Return whether the seeds differ, so that an interval can be computed."""

    def interval(self, confidence: float) -> tuple[Any, Any]:
        """Return the ends of the interval with a confidence between 0 and 1."""

    def p_within(self, low: float, high: float) -> Any:
        """Return the p-value of an equivalence test: small if the true value lies between two ends.

        Args:
            low: lower end, which may be minus infinity.
            high: upper end, which may be infinity.
        """

    def effects(self, low: float, high: float) -> tuple[float, float]:
        """Return how far the estimate lies above and below two ends, in standard deviations of one seed."""


class SeedMean:
    """Estimates a mean over seeds by Student's t."""

    def __init__(self, values: ArrayLike) -> None:
        """Take the values.

        Args:
            values: [n], one value for each seed; or [n, k], to estimate k independent means at once.
        """
        self._values: NDArray[np.float64] = np.asarray(values, float)
        self._statistics = DescrStatsW(self._values)
        self.seeds = len(self._values)

    @property
    def estimate(self) -> Any:
        """Return the mean."""
        return self._statistics.mean

    def has_spread(self) -> bool:
        """Return whether the values differ by more than rounding."""
        return bool(np.ptp(self._values) > SMALLEST_SPREAD)

    def interval(self, confidence: float) -> tuple[Any, Any]:
        """Return the ends of Student's interval of the mean."""
        low, high = self._statistics.tconfint_mean(alpha=1 - confidence)
        return low, high

    def p_within(self, low: float, high: float) -> Any:
        """Return the p-value of two one-sided t-tests (TOST) that the mean lies between two ends."""
        p_value, _, _ = self._statistics.ttost_mean(low, high)
        return p_value

    def effects(self, low: float, high: float) -> tuple[float, float]:
        """Return how far the mean lies above and below two ends, in standard deviations of one seed."""
        mean, spread = self._statistics.mean, self._statistics.std_ddof(1)
        return float((mean - low) / spread), float((high - mean) / spread)
