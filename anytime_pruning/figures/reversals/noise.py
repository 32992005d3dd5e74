"""Fit autocorrelated noise to curves that are measured at successive megabatches.

The noise is autoregressive of first order, AR(1): each value is a fraction `rho` of its predecessor plus an independent
normal number. The validation images of successive megabatches overlap, so that successive gaps share part of their
error. Validation images also accumulate along a stream, so the noise may shrink: it is a power of 1 / t times as large.
"""

from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np

from anytime_pruning.figures.reversals.curves import Floats, smooth

# Autocorrelations that are tried. Negative ones count as none, and one near 1 could not be told from a trend.
RHOS = np.linspace(0, 0.9, 10)
# The standard deviation is proportional to t to the power of minus one of these: constant noise, noise of an accuracy
# whose images accumulate (1/2), and a mixture of both (1/4).
POWERS = (0.0, 0.25, 0.5)
# Accuracies of up to 100,000 images differ in steps of at least 0.001 points, so no noise is smaller.
SMALLEST_SD = 1e-3


class _Candidates(NamedTuple):
    """Holds all kinds of noise that are tried on curves of one length: each autocorrelation with each power.

    Attributes:
        rhos: [C] autocorrelations.
        profiles: [C, T] standard deviations along the stream; the mean of their squares is 1.
        smoothed_variances: [C] mean variance of the smoothed noise.
        forms: [C, T, T] matrices A; y A y is the weighted sum of squares of a curve around its fitted trend.
        offsets: [C] parts of the logarithm of the likelihood that do not depend on the curves.
    """

    rhos: Floats
    profiles: Floats
    smoothed_variances: Floats
    forms: Floats
    offsets: Floats


class NoiseFit(NamedTuple):
    """Holds how well each kind of noise fits one or several groups of curves.

    Attributes:
        candidates: the kinds of noise.
        weights: [..., C] restricted likelihood of each kind, divided by the sum over all kinds.
        variances: [..., C] mean variance of a value, if the noise is of that kind.
    """

    candidates: _Candidates
    weights: Floats
    variances: Floats

    def rho(self) -> Floats:
        """Return the mean autocorrelation of each group, [...]."""
        return np.asarray(self.weights @ self.candidates.rhos)

    def sd(self) -> Floats:
        """Return the standard deviation of a value in each group, [...], averaged over the stream."""
        return np.asarray(np.sqrt((self.weights * self.variances).sum(axis=-1)))

    def smoothed_sd(self) -> Floats:
        """Return the standard deviation of a value of the smoothed curve in each group, [...]."""
        variances = self.variances * self.candidates.smoothed_variances
        return np.asarray(np.sqrt((self.weights * variances).sum(axis=-1)))

    def simulate(self, n_simulations: int, n_curves: int, generator: np.random.Generator) -> Floats:
        """Simulate noise of one group; each simulation draws a kind of noise with the weights as probabilities.

        Returns:
            [n_simulations, n_curves, T] noise.
        """
        drawn = generator.choice(len(self.weights), n_simulations, p=self.weights)
        independent = generator.standard_normal((n_simulations, n_curves, self.candidates.profiles.shape[-1]))
        correlated = correlate(independent, self.candidates.rhos[drawn, None])
        sd = np.sqrt(self.variances[drawn, None]) * self.candidates.profiles[drawn]
        return np.asarray(sd[:, None, :] * correlated)


def count_trend_terms(n_megabatches: int) -> int:
    """Return the number of terms of the polynomial trend: 3 at T = 8, 4 at T = 25 and 8 at T = 100."""
    return 3 + n_megabatches // 20


def fit_noise(curves: Floats) -> NoiseFit:
    """Fit noise that several curves have in common, by restricted maximum likelihood.

    Every curve has a smooth trend of its own, a polynomial of `count_trend_terms(T)` terms. It need not be monotone: a
    slow wave must not count as noise, or no curve could ever be shown to turn. The restricted likelihood allows for the
    degrees of freedom that the trends take, so that the noise is not underestimated. One curve hardly determines an
    autocorrelation, so all kinds of noise are kept with their weights.

    Args:
        curves: [..., n, T] values of n curves with the same noise; T is at least 8.

    Returns:
        The fit of each group of n curves.
    """
    n_curves, length = curves.shape[-2:]
    freedom = n_curves * (length - count_trend_terms(length))
    candidates = prepare_candidates(length)
    squares = np.stack([((curves @ form) * curves).sum(axis=(-1, -2)) for form in candidates.forms], axis=-1)
    squares = np.maximum(squares, freedom * SMALLEST_SD**2)
    logarithm = n_curves * candidates.offsets - freedom / 2 * np.log(squares)
    weights = np.exp(logarithm - logarithm.max(axis=-1, keepdims=True))
    return NoiseFit(candidates, weights / weights.sum(axis=-1, keepdims=True), squares / freedom)


def correlate(independent: Floats, rho: Floats) -> Floats:
    """Turn independent standard normal numbers into AR(1) noise of the same variance.

    Args:
        independent: [..., T] numbers.
        rho: autocorrelations, of a shape that fits `independent` without its last axis.
    """
    values = np.empty_like(independent)
    values[..., 0] = independent[..., 0]
    for place in range(1, independent.shape[-1]):
        values[..., place] = rho * values[..., place - 1] + np.sqrt(1 - rho**2) * independent[..., place]
    return values


@lru_cache(maxsize=16)
def prepare_candidates(length: int) -> _Candidates:
    """Prepare the restricted likelihood of all kinds of noise for curves of a length.

    Source: D. A. Harville, Journal of the American Statistical Association 72 (1977), equation 3.
    """
    t = np.arange(1, length + 1)
    trend = np.polynomial.legendre.legvander(np.linspace(-1, 1, length), count_trend_terms(length) - 1)
    averages = smooth(np.eye(length)).T  # [T - window + 1, T] weights of the moving average
    parts = []
    for rho, power in product(RHOS, POWERS):
        profile = t**-power / np.sqrt((t ** (-2 * power)).mean())
        covariance = np.outer(profile, profile) * rho ** np.abs(np.subtract.outer(t, t))
        weighted = np.linalg.solve(covariance, trend)
        information = trend.T @ weighted
        form = np.linalg.inv(covariance) - weighted @ np.linalg.solve(information, weighted.T)
        offset = -(np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(information)[1]) / 2
        smoothed = np.diag(averages @ covariance @ averages.T).mean()
        parts.append((rho, profile, smoothed, form, offset))
    return _Candidates(*map(np.array, zip(*parts)))
