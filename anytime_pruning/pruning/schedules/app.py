"""Prune progressively, by the schedule of the paper."""

import numpy as np

from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.schedules.base import Schedule


@register("method", "app")
class App(Schedule):
    """Lowers the density to `base_density ** level`, with levels evenly spaced from 1 to tau.

    With the paper's values, 0.8 and 4.5, the density falls from 0.8 to 0.8 ** 4.5 = 0.366. A stream of one megabatch
    ends at 0.8, because the published levels, `linspace(1, tau, 1)`, are then level 1 alone. `osp` ends at 0.366 there,
    so the two networks are not of one size.

    Source: the method section of arXiv 2204.01640. The poster prints `0.8 * delta_t`, but only the power leads to the
    third of the weights that the paper states.
    """

    def densities(self, n_megabatches: int, tau: float, base_density: float) -> list[float]:
        """Return `base_density ** level` for each megabatch; a stream of one megabatch has only level 1."""
        return [base_density ** float(level) for level in np.linspace(1, tau, n_megabatches)]
