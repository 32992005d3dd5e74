"""Prune progressively, fast at first and slowly at the end, as an ablation of the paper's schedule."""

import numpy as np

from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.schedules.base import Schedule


@register("method", "app_cubic")
class AppCubic(Schedule):
    """Lowers the density cubically from the first to the last density of `app`.

    Source: the schedule of Zhu and Gupta, "To prune, or not to prune" (arXiv 1710.01878), with one step for each
    megabatch. The schedule of the pruning paper itself is `app`.
    """

    def densities(self, n_megabatches: int, tau: float, base_density: float) -> list[float]:
        """Return `last + (first - last) * remaining ** 3`, where `remaining` falls evenly from 1 to 0."""
        first, last = base_density, base_density**tau
        remaining = np.linspace(1, 0, n_megabatches) ** 3
        return [last + (first - last) * float(share) for share in remaining]
