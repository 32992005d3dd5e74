"""Let pruned weights come back at random, as in sparse evolutionary training."""

import torch
from torch import Generator, Tensor

from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.regrowth.base import Regrowth


class RandomRegrowth(Regrowth):
    """Lets each pruned weight that has a gradient come back with the same chance.

    Source: Mocanu and others, "Scalable Training of Artificial Neural Networks with Adaptive Sparse Connectivity
    Inspired by Network Science" (arXiv 1707.04780). Deviations: weights come back next to zero, and those of the lowest
    magnitude are dropped whatever their sign.
    """

    def rank(self, gradient: Tensor, generator: Generator) -> Tensor:
        """Draw a number for each weight."""
        return torch.rand(gradient.shape, generator=generator).to(gradient.device)


register("regrow", "set")(RandomRegrowth())
