"""Replay policies: which earlier data is trained on beside the current megabatch.

A policy sees the index sets of the past megabatches and of the current one and returns the indices to use. The same
policy is applied to the training parts and to the validation parts, so that both follow one rule. (The released code
does that too.) The generator is seeded alike at each megabatch of a run: a policy that draws while it walks through the
past therefore draws the same again, and so is consistent from megabatch to megabatch.
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from anytime_pruning.foundation.registry import register


@register("replay", "full")
def replay_full(past: Sequence[Tensor], current: Tensor, buffer_size: int, generator: Generator) -> Tensor:
    """Everything that has arrived: the replay-inclusive set of the paper, M_1 to M_t.

    Args:
        past: int64 [n_i] of each earlier megabatch, oldest first.
        current: int64 [n] of this megabatch.
        buffer_size: how many earlier samples a policy with a memory keeps; not used here.
        generator: for policies that draw; not used here.

    Returns:
        int64 [sum of all n].
    """
    return torch.cat([*past, current])


@register("replay", "none")
def replay_none(past: Sequence[Tensor], current: Tensor, buffer_size: int, generator: Generator) -> Tensor:
    """This megabatch alone. Arguments as `replay_full`."""
    return current


@register("replay", "previous")
def replay_previous(past: Sequence[Tensor], current: Tensor, buffer_size: int, generator: Generator) -> Tensor:
    """This megabatch and the one before. Arguments as `replay_full`."""
    return torch.cat([*past[-1:], current])


@register("replay", "buffer")
def replay_buffer(past: Sequence[Tensor], current: Tensor, buffer_size: int, generator: Generator) -> Tensor:
    """This megabatch and a memory of fixed size, a uniform sample of all that came before.

    Reservoir sampling: the n-th sample to arrive takes a place in the memory with probability buffer_size / n, that of
    a sample drawn at random. What has left the memory never comes back. Arguments as `replay_full`.

    Source: Vitter, "Random Sampling with a Reservoir" (1985), algorithm R.
    """
    arrived = torch.cat([*past, current[:0]]).tolist()
    reservoir = arrived[:buffer_size]
    for n, index in enumerate(arrived[buffer_size:], start=buffer_size + 1):
        place = int(torch.randint(n, (), generator=generator))
        if place < buffer_size:
            reservoir[place] = index
    return torch.cat([torch.tensor(reservoir, dtype=current.dtype), current])
