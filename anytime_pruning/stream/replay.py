"""Replay policies: which earlier data is trained on beside the current megabatch.

A policy sees the index sets of the past megabatches and of the current one, and returns the indices to use. The same
policy chooses among the training parts and among the validation parts, so that both follow one rule, as in the released
code. The generator is seeded alike at each megabatch of a run: a policy that draws while it walks through the past
draws the same again, and is therefore consistent from megabatch to megabatch.

A policy may say with `says_its_size` how many images it uses, so that a run's duration can be estimated.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Generator, Tensor

from anytime_pruning.foundation.registry import register

Policy = TypeVar("Policy", bound=Callable[..., Tensor])
# Images used at megabatch t, from t, the size of one megabatch and the setting buffer_size.
Size = Callable[[int, float, float], float]


def says_its_size(size: Size) -> Callable[[Policy], Policy]:
    """Attach to a policy a function that counts the images it uses; `size_of` finds that function."""

    def attach(policy: Policy) -> Policy:
        setattr(policy, "size", size)  # noqa: B010  (a function has no declared attribute of this name)
        return policy

    return attach


def size_of(policy: Callable[..., Tensor]) -> Size | None:
    """Return the function that counts the images of a policy; None if the policy does not say."""
    return getattr(policy, "size", None)


@register("replay", "full")
@says_its_size(lambda t, part, buffer_size: t * part)
def replay_full(past: Sequence[Tensor], current: Tensor, buffer_size: int, generator: Generator) -> Tensor:
    """Use everything that has arrived: the replay-inclusive set of the paper, M_1 to M_t.

    Args:
        past: int64 [n_i] of each earlier megabatch, oldest first.
        current: int64 [n] of this megabatch.
        buffer_size: number of earlier samples that a policy with a memory keeps; not used here.
        generator: for policies that draw; not used here.

    Returns:
        int64 [sum of all n].
    """
    return torch.cat([*past, current])


@register("replay", "none")
@says_its_size(lambda t, part, buffer_size: part)
def replay_none(past: Sequence[Tensor], current: Tensor, buffer_size: int, generator: Generator) -> Tensor:
    """Use this megabatch alone. Arguments as `replay_full`."""
    return current


@register("replay", "previous")
@says_its_size(lambda t, part, buffer_size: part * min(t, 2))
def replay_previous(past: Sequence[Tensor], current: Tensor, buffer_size: int, generator: Generator) -> Tensor:
    """Use this megabatch and the one before. Arguments as `replay_full`."""
    return torch.cat([*past[-1:], current])


@register("replay", "buffer")
@says_its_size(lambda t, part, buffer_size: part + min(buffer_size, part * (t - 1)))
def replay_buffer(past: Sequence[Tensor], current: Tensor, buffer_size: int, generator: Generator) -> Tensor:
    """Use this megabatch and a memory of fixed size, which is a uniform sample of all earlier data.

    Reservoir sampling: the n-th sample to arrive takes a place in the memory with probability buffer_size / n, the
    place of a sample drawn at random. A sample that has left the memory never comes back. Arguments as `replay_full`.

    Source: Vitter, "Random Sampling with a Reservoir" (1985), algorithm R.
    """
    arrived = torch.cat([*past, current[:0]]).tolist()
    reservoir = arrived[:buffer_size]
    for n, index in enumerate(arrived[buffer_size:], start=buffer_size + 1):
        place = int(torch.randint(n, (), generator=generator))
        if place < buffer_size:
            reservoir[place] = index
    return torch.cat([torch.tensor(reservoir, dtype=current.dtype), current])
