"""Simulate monotone curves with noise, and compare measured curves with them.

A count of direction changes alone shows nothing, because noise turns, too: over 100 megabatches, a constant gap with
white noise of 1.5 points changes direction 2.5 times after smoothing, and a gap that rises and then falls once does it
once. The test therefore uses the reversal of a curve, in points, and the counts are given beside it with their
expectation.

The null hypothesis is that the gap of every seed rises or falls monotonically, or is constant, and has AR(1) noise that
is the same for all seeds and may shrink along the stream. The curves of the null are the measured curve's own trend
made monotone, plus simulated noise of the size and autocorrelation that was fitted. Three steps keep the share of false
positives near 5 % or below:

- A monotone fit follows the noise, so its residuals would be too small. The noise is therefore fitted around a trend
  that may turn, and with the degrees of freedom that this trend takes.
- Each simulation draws its autocorrelation from those that fit the curves, because it is known only roughly.
- The reversal is divided by the fitted standard deviation of the smoothed noise, and for each simulated set of curves
  the noise is fitted anew. The error of the fitted noise then is in both terms of the comparison.

The statistic of several seeds is the mean of their reversals, which is compared with simulated means.

`python -m benchmarks.reversal_rates` measures how often the test finds a reversal where there is none, and where there
is one. The share of false positives is smaller for a gap that rises or falls steadily, since noise then seldom moves
the curve back.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from anytime_pruning.figures.reversals.curves import Floats, count_direction_changes, reversal, smooth
from anytime_pruning.figures.reversals.noise import fit_noise

SIMULATIONS = 999
# The generator always starts from this seed, so that the same curves have the same p-value.
SEED = 20_220_401
# Statistics that differ by less are equal; they are multiples of the standard deviation of the noise.
TOLERANCE = 1e-6


class Comparison(NamedTuple):
    """Holds what curves of several seeds have in common with monotone curves.

    Attributes:
        changes: [n] measured direction changes of each curve.
        expected_changes: [n] mean of the direction changes under the null.
        reversals: [n] measured reversal of each curve, in the unit of the curves.
        expected_reversals: [n] mean of the reversal under the null.
        p_value: one-sided p-value of the mean reversal over the curves.
    """

    changes: NDArray[np.int64]
    expected_changes: Floats
    reversals: Floats
    expected_reversals: Floats
    p_value: float


def compare_with_monotone(curves: Floats, n_simulations: int = SIMULATIONS) -> Comparison:
    """Compare the curves of several seeds with monotone curves that have the same noise.

    Args:
        curves: [n, T] values, one curve for each seed; T is at least 8.
        n_simulations: number of simulated sets of curves.
    """
    n_curves, length = curves.shape
    fit, smoothed = fit_noise(curves), smooth(curves)
    noise = fit.simulate(n_simulations, n_curves, np.random.default_rng(SEED))
    null = make_monotone(smoothed, count_monotone_terms(length)) + smooth(noise)
    reversals, null_reversals = reversal(smoothed), reversal(null)
    statistic = reversals.mean() / fit.smoothed_sd()
    null_statistics = null_reversals.mean(axis=-1) / fit_noise(noise).smoothed_sd()
    n_larger = int((null_statistics >= statistic - TOLERANCE).sum())
    return Comparison(
        changes=count_direction_changes(smoothed),
        expected_changes=count_direction_changes(null).mean(axis=0),
        reversals=reversals,
        expected_reversals=null_reversals.mean(axis=0),
        p_value=(1 + n_larger) / (1 + n_simulations),
    )


def count_monotone_terms(n_megabatches: int) -> int:
    """Return the number of terms of the polynomial that is made monotone: 3, and 4 from T = 100 on.

    With more terms the simulated curves would have more flat parts than a steadily rising gap, and the test would
    hardly ever find a reversal in such a gap. With fewer terms it would find too many reversals in a gap that rises
    only at first.
    """
    return 3 + n_megabatches // 100


def make_monotone(curves: Floats, n_terms: int) -> Floats:
    """Return the monotone curve nearest to the polynomial trend of each curve, rising or falling.

    The trend is made monotone, and not the curve itself, because a monotone fit of a noisy curve is a staircase. On its
    steps noise moves back more often than on a steady rise.

    Args:
        curves: [n, T] values.
        n_terms: number of terms of the polynomial, at most T.

    Returns:
        [n, T] values.
    """
    places = np.linspace(-1, 1, curves.shape[-1])
    terms = np.polynomial.legendre.legfit(places, curves.T, n_terms - 1)
    return np.array([_nearest_monotone(trend) for trend in np.polynomial.legendre.legval(places, terms)])


def _nearest_monotone(trend: Floats) -> Floats:
    rising, falling = (isotonic_regression(trend, increasing=increasing).x for increasing in (True, False))
    return np.asarray(min((rising, falling), key=lambda fit: float(((trend - fit) ** 2).sum())))
