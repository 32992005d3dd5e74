"""Prune at the end, as a control for the question whether it pays to prune earlier."""

from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.schedules.base import Schedule


@register("method", "prune_last")
class PruneLast(Schedule):
    """Stays dense until the last megabatch, and is pruned there to the last density of `app`."""

    def densities(self, n_megabatches: int, tau: float, base_density: float) -> list[float]:
        """Return 1 for every megabatch but the last, and `base_density ** tau` there."""
        return [1.0] * (n_megabatches - 1) + [base_density**tau]
