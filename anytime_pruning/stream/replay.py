"""Define the replay policies, which choose the earlier images to train on beside those of the current megabatch.

A policy gets the indices of all past megabatches and of the current one, and returns the indices to use. The same
policy chooses among the training parts and among the validation parts, so that both follow one rule, as in the released
code. The generator has the same seed at each megabatch of a run. A policy that draws while it goes through the past
therefore makes the same draws again, and its choices are consistent from megabatch to megabatch.

With `says_its_size`, a policy can tell how many images it uses, so that the duration of a run can be estimated.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Generator, Tensor

from anytime_pruning.foundation.registry import register

Policy = TypeVar("Policy", bound=Callable[..., Tensor])
# A size function returns the number of images used at megabatch t, given t, the size of one megabatch and the setting
# buffer_size.
Size = Callable[[int, float, float], float]


def says_its_size(size: Size) -> Callable[[Policy], Policy]:
    """Attach to a policy a function that counts the images it uses; `size_of` finds that function."""

    def attach(policy: Policy) -> Policy:
        setattr(policy, "size", size)  # noqa: B010  (a function has no declared attribute of this name)
        return policy

    return attach


def size_of(policy: Callable[..., Tensor]) -> Size | None:
    """Return the function that counts the images of a policy, or None if the policy has no such function."""
    return getattr(policy, "size", None)


@register("replay", "full")
@says_its_size(lambda t, part, buffer_size: t * part)
def replay_full(past: Sequence[Tensor], current: Tensor, buffer_size: int, generator: Generator) -> Tensor:
    """Use everything that has arrived: the replay-inclusive set of the paper, M_1 to M_t.

    Args:
        past: indices int64 [n_i] of each earlier megabatch, oldest first.
        current: indices int64 [n] of this megabatch.
        buffer_size: number of earlier samples that a policy with a memory keeps; not used here.
        generator: for policies that draw; not used here.

    Returns:
        int64 [sum of all n], all given indices.
    """
    return torch.cat([*past, current])


@register("replay", "none")
@says_its_size(lambda t, part, buffer_size: part)
def replay_none(past: Sequence[Tensor], current: Tensor, buffer_size: int, generator: Generator) -> Tensor:
    """Use this megabatch alone; the arguments are those of `replay_full`."""
    return current


@register("replay", "previous")
@says_its_size(lambda t, part, buffer_size: part * min(t, 2))
def replay_previous(past: Sequence[Tensor], current: Tensor, buffer_size: int, generator: Generator) -> Tensor:
    """Use this megabatch and the megabatch before; the arguments are those of `replay_full`."""
    return torch.cat([*past[-1:], current])


@register("replay", "buffer")
@says_its_size(lambda t, part, buffer_size: part + min(buffer_size, part * (t - 1)))
def replay_buffer(past: Sequence[Tensor], current: Tensor, buffer_size: int, generator: Generator) -> Tensor:
    """Use this megabatch and a memory of fixed size, which is a uniform sample of all earlier data.

    The memory is filled by reservoir sampling: with probability buffer_size / n, the n-th sample to arrive replaces a
    random sample of the memory. A sample that has left the memory never comes back. The arguments are those of
    `replay_full`.

    Source: Vitter, "Random Sampling with a Reservoir" (1985), algorithm R.
    """
    arrived = torch.cat([*past, current[:0]]).tolist()
    reservoir = arrived[:buffer_size]
    for n, index in enumerate(arrived[buffer_size:], start=buffer_size + 1):
        place = int(torch.randint(n, (), generator=generator))
        if place < buffer_size:
            reservoir[place] = index
    return torch.cat([torch.tensor(reservoir, dtype=current.dtype), current])
