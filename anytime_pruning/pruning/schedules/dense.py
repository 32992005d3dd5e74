"""Never prune, as the dense baseline of the paper."""

from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.schedules.base import Schedule


@register("method", "dense")
class Dense(Schedule):
    """Keeps all weights: the density is 1 throughout the stream.

    Source: the method section of arXiv 2204.01640.
    """

    prunes = False

    def densities(self, n_megabatches: int, tau: float, base_density: float) -> list[float]:
        """Return 1 for every megabatch; `tau` and `base_density` have no meaning."""
        return [1.0] * n_megabatches
