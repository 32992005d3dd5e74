"""Fit autocorrelated noise to curves that are measured at successive megabatches.

The noise is autoregressive of first order, AR(1): each value is `rho` times its predecessor plus an independent normal
number. The validation images of successive megabatches overlap, so that successive gaps share part of their error.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from anytime_pruning.figures.reversals.curves import Floats

# Autocorrelations that are tried. Negative ones count as none, and one near 1 could not be told from a trend.
RHOS = np.linspace(0, 0.9, 19)
# Accuracies of up to 100,000 images differ in steps of at least 0.001 points, so no noise is smaller.
SMALLEST_SD = 1e-3


class Noise(NamedTuple):
    """Holds AR(1) noise of one or several groups of curves.

    Attributes:
        rho: [...] correlation of successive values, 0 to 0.9.
        sd: [...] standard deviation of each value.
    """

    rho: Floats
    sd: Floats

    def smoothed_sd(self, window: int) -> Floats:
        """Return the standard deviation of the mean of `window` successive values."""
        lags = np.abs(np.subtract.outer(np.arange(window), np.arange(window)))
        return np.asarray(self.sd * np.sqrt((self.rho[..., None, None] ** lags).mean(axis=(-1, -2))))


class _Likelihood(NamedTuple):
    """Holds what the restricted likelihood needs for each autocorrelation.

    Attributes:
        forms: [len(RHOS), T, T] matrices A; y A y is the weighted sum of squares of a curve around its fitted trend.
        offsets: [len(RHOS)] parts of the logarithm of the likelihood that depend on the autocorrelation alone.
    """

    forms: Floats
    offsets: Floats


def count_trend_terms(n_megabatches: int) -> int:
    """Return the number of terms of the polynomial trend: 3 at T = 8, 4 at T = 25 and 8 at T = 100."""
    return 3 + n_megabatches // 20


class NoiseFit(NamedTuple):
    """Holds how well each autocorrelation fits one or several groups of curves.

    Attributes:
        weights: [..., len(RHOS)] restricted likelihood of each autocorrelation, divided by the sum over all of them.
        variances: [..., len(RHOS)] variance of each value, if the autocorrelation is that one.
    """

    weights: Floats
    variances: Floats

    def mean(self) -> Noise:
        """Return the mean over all autocorrelations, weighted by their likelihood."""
        return Noise(self.weights @ RHOS, np.sqrt((self.weights * self.variances).sum(axis=-1)))

    def draw(self, n_simulations: int, generator: np.random.Generator) -> Noise:
        """Draw autocorrelations of one group with the weights as probabilities, with the variance of each."""
        drawn = generator.choice(len(RHOS), n_simulations, p=self.weights)
        return Noise(RHOS[drawn], np.sqrt(self.variances[drawn]))


def fit_noise(curves: Floats) -> NoiseFit:
    """Fit noise that several curves have in common, by restricted maximum likelihood.

    Every curve has a smooth trend of its own, a polynomial of `count_trend_terms(T)` terms. It need not be monotone: a
    slow wave must not count as noise, or no curve could ever be shown to turn. The restricted likelihood allows for the
    degrees of freedom that the trends take, so that the noise is not underestimated. One curve hardly determines an
    autocorrelation, so all of them are kept with their weights.

    Args:
        curves: [..., n, T] values of n curves with the same noise; T is at least 8.

    Returns:
        The fit of each group of n curves.
    """
    n_curves, length = curves.shape[-2:]
    freedom = n_curves * (length - count_trend_terms(length))
    likelihood = _prepare(length)
    squares = np.stack([((curves @ form) * curves).sum(axis=(-1, -2)) for form in likelihood.forms], axis=-1)
    squares = np.maximum(squares, freedom * SMALLEST_SD**2)
    logarithm = n_curves * likelihood.offsets - freedom / 2 * np.log(squares)
    weights = np.exp(logarithm - logarithm.max(axis=-1, keepdims=True))
    return NoiseFit(weights / weights.sum(axis=-1, keepdims=True), squares / freedom)


def simulate_noise(noise: Noise, independent: Floats) -> Floats:
    """Turn independent standard normal numbers into noise.

    Args:
        noise: the noise of each group of curves.
        independent: [..., n, T] standard normal numbers of n curves in each group.
    """
    rho, values = noise.rho[..., None], np.empty_like(independent)
    values[..., 0] = independent[..., 0]
    for place in range(1, independent.shape[-1]):
        values[..., place] = rho * values[..., place - 1] + np.sqrt(1 - rho**2) * independent[..., place]
    return np.asarray(noise.sd[..., None, None] * values)


@lru_cache(maxsize=16)
def _prepare(length: int) -> _Likelihood:
    """Prepare the restricted likelihood of curves of a length.

    Source: D. A. Harville, Journal of the American Statistical Association 72 (1977), equation 3.
    """
    trend = np.polynomial.legendre.legvander(np.linspace(-1, 1, length), count_trend_terms(length) - 1)
    lags = np.abs(np.subtract.outer(np.arange(length), np.arange(length)))
    forms, offsets = [], []
    for rho in RHOS:
        correlation = rho**lags
        weighted = np.linalg.solve(correlation, trend)
        information = trend.T @ weighted
        forms.append(np.linalg.inv(correlation) - weighted @ np.linalg.solve(information, weighted.T))
        offsets.append(-(np.linalg.slogdet(correlation)[1] + np.linalg.slogdet(information)[1]) / 2)
    return _Likelihood(np.array(forms), np.array(offsets))
