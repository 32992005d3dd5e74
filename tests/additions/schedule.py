"""Adds a schedule that lowers the density by the same amount at each megabatch, to one half."""

from anytime_pruning import register
from anytime_pruning.pruning.schedules import Schedule


@register("method", "linear")
class Linear(Schedule):
    """Lowers the density evenly to one half, whatever tau is."""

    def densities(self, n_megabatches, tau, base_density):
        """Return 1 - t / (2 T) for t = 1 ... T."""
        return [1 - t / (2 * n_megabatches) for t in range(1, n_megabatches + 1)]
