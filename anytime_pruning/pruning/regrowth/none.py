"""Let no weight come back, as the paper does."""

import torch
from torch import Generator, Tensor

from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.regrowth.base import Regrowth


class NoRegrowth(Regrowth):
    """Keeps the masks of a megabatch while the network trains on it."""

    is_active = False

    def rank(self, gradient: Tensor, generator: Generator) -> Tensor:
        """Rank all weights alike; nothing asks for it."""
        return torch.zeros_like(gradient)


register("regrow", "none")(NoRegrowth())
