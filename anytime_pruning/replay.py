"""Replay policies: which earlier data is trained on beside the current megabatch.

A policy sees the index sets of the past megabatches and of the current one and returns the indices to use. The same
policy is applied to the training parts and to the validation parts, so that both follow one rule. (The released code
does that too.)
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from anytime_pruning.registry import register


@register("replay", "full")
def replay_full(past: Sequence[Tensor], current: Tensor, generator: Generator) -> Tensor:
    """Everything that has arrived: the replay-inclusive set of the paper, M_1 to M_t.

    Args:
        past: int64 [n_i] of each earlier megabatch, oldest first.
        current: int64 [n] of this megabatch.
        generator: for policies that draw; not used here.
    Returns:
        int64 [sum of all n].
    """
    return torch.cat([*past, current])


def draw_pruning_sample(indices: Tensor, sample_frac: float, generator: Generator) -> Tensor:
    """The paper's pi_t: a random share of the replay-inclusive training set, at least two images (for batch norm).

    Args:
        indices: int64 [n], the replay-inclusive training set.
        sample_frac: share in (0, 1]; 0.2 in the paper.
    Returns:
        int64 [max(2, round(sample_frac * n))], without repetition.
    """
    count = pruning_sample_count(len(indices), sample_frac)
    return indices[torch.randperm(len(indices), generator=generator)[:count]]


def pruning_sample_count(n: int, sample_frac: float) -> int:
    """How many of n images make up pi_t."""
    return max(2, round(sample_frac * n))
