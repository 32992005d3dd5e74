"""Define the interface of ways to regrow, and exchange kept weights for pruned ones."""

from abc import ABC, abstractmethod

import torch
from torch import Generator, Tensor


class Regrowth(ABC):
    """Ranks pruned weights by how much they should come back.

    Attributes:
        is_active: whether weights come back at all.
    """

    is_active = True

    @abstractmethod
    def rank(self, gradient: Tensor, generator: Generator) -> Tensor:
        """Return a number for each weight of a layer; pruned weights with the highest numbers come back.

        Args:
            gradient: gradient of the loss with respect to the layer's weights, pruned ones included.
            generator: CPU generator for random draws.
        """


def exchange(weight: Tensor, gradient: Tensor, mask: Tensor, rank: Tensor, share: float) -> Tensor:
    """Drop the kept weights of a layer with the lowest magnitudes, and let as many pruned ones come back.

    Weights that are dropped compete with the pruned ones and may stay. Weights without a gradient do not come back,
    because they could never leave zero; if there are too few others, fewer weights are dropped.

    Args:
        weight: the layer's weights.
        gradient: gradient of the loss with respect to them.
        mask: bool mask of the kept weights.
        rank: number for each weight, as `Regrowth.rank` returns it.
        share: share of the kept weights to drop, in [0, 1].

    Returns:
        A bool mask that keeps as many weights as before.
    """
    kept = mask.flatten()
    candidates = ~kept & (gradient.flatten() != 0)
    count = min(int(share * int(kept.sum())), int(candidates.sum()))
    if count == 0:
        return mask
    magnitudes = torch.where(kept, weight.flatten().abs(), torch.inf)
    dropped = magnitudes.topk(count, largest=False).indices
    after = kept.clone()
    after[dropped] = False
    candidates[dropped] = True
    ranked = torch.where(candidates, rank.flatten(), -torch.inf)
    after[ranked.topk(count).indices] = True
    return after.view_as(mask)
