"""Prune once, as the one-shot baseline of the paper."""

from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.schedules.base import Schedule


@register("method", "osp")
class Osp(Schedule):
    """Prunes at the first megabatch to the last density of `app`; the paper calls this anytime one-shot pruning.

    Source: the method section of arXiv 2204.01640.
    """

    prunes_once = True

    def densities(self, n_megabatches: int, tau: float, base_density: float) -> list[float]:
        """Return `base_density ** tau` for every megabatch."""
        return [base_density**tau] * n_megabatches
