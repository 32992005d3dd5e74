"""Take the sample of training images on which a pruner scores weights; the paper calls this sample pi_t."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class SampleDraw:
    """Takes a share of given indices, but at least two, because batch norm cannot normalise a single value.

    Attributes:
        share: the share to take, in (0, 1]; the paper takes 0.2.
        generator: determines the random draws.
    """

    share: float
    generator: Generator

    def at_random(self, indices: Tensor) -> Tensor:
        """Draw a random share of indices int64 [n] without repetition: int64 [max(2, round(share * n))]."""
        order = torch.randperm(len(indices), generator=self.generator)
        return indices[order[: max(2, round(self.share * len(indices)))]]

    def from_start(self, indices: Tensor, of: int) -> Tensor:
        """Take the first indices of int64 [n], as many as the share of another number says.

        Args:
            indices: int64 [n].
            of: the number of which the share is taken, rounded down.

        Returns:
            int64 [max(2, int(share * of))], or all indices if these are fewer.
        """
        return indices[: max(2, int(self.share * of))]
