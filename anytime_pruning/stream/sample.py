"""Takes the share of some training images that a pruner scores on: the paper's pi_t."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class SampleDraw:
    """Takes a share of some indices, at least two, because batch norm cannot normalise a single value.

    Attributes:
        share: in (0, 1]; 0.2 in the paper.
        generator: decides which indices are drawn at random.
    """

    share: float
    generator: Generator

    def at_random(self, indices: Tensor) -> Tensor:
        """Draw a random share of int64 [n] indices without repetition: int64 [max(2, round(share * n))]."""
        order = torch.randperm(len(indices), generator=self.generator)
        return indices[order[: sample_count(len(indices), self.share)]]

    def from_start(self, indices: Tensor) -> Tensor:
        """Take the first share of int64 [n] indices: int64 [max(2, round(share * n))]."""
        return indices[: sample_count(len(indices), self.share)]


def sample_count(n: int, share: float) -> int:
    """Say how many of n images make up pi_t."""
    return max(2, round(share * n))
