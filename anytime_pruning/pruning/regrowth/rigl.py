"""Let those pruned weights come back whose gradients are largest, as RigL does."""

from torch import Generator, Tensor

from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.regrowth.base import Regrowth


class GradientRegrowth(Regrowth):
    """Ranks weights by the magnitude of their gradient.

    Source: Evci and others, "Rigging the Lottery: Making All Tickets Winners" (arXiv 1911.11134).
    """

    def rank(self, gradient: Tensor, generator: Generator) -> Tensor:
        """Return the magnitude of the gradient."""
        return gradient.abs()


register("regrow", "rigl")(GradientRegrowth())
