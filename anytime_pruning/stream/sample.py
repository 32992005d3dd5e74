"""Draw the images that a pruner scores on."""

import torch
from torch import Generator, Tensor

from anytime_pruning.machine.randomness import make_generator
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.stream.megabatches import Megabatch


def pruning_sample(settings: RunSettings, arrived: list[Megabatch], replayed: Tensor) -> Tensor:
    """pi_t, the training images to score on.

    The released protocol scores on the first samples of the stream at every megabatch: a share of M_1.

    Args:
        arrived: M_1 ... M_t.
        replayed: int64 [n], the training part of the replay-inclusive set at t.

    Returns:
        int64 [max(2, round(sample_frac * n))], where n counts the set that `protocol` and `prune_on` choose.
    """
    if settings.protocol == "released":
        first = arrived[0].train
        return first[: pruning_sample_count(len(first), settings.sample_frac)]
    current = arrived[-1]
    source = current.train if settings.prune_on == "megabatch" else replayed
    return draw_pruning_sample(
        source, settings.sample_frac, make_generator(settings.seed, f"pruning sample {current.t}")
    )


def draw_pruning_sample(indices: Tensor, sample_frac: float, generator: Generator) -> Tensor:
    """The paper's pi_t: a random share of a training set, at least two images (for batch norm).

    Args:
        indices: int64 [n], the replay-inclusive training set, or what else is pruned on.
        sample_frac: share in (0, 1]; 0.2 in the paper.

    Returns:
        int64 [max(2, round(sample_frac * n))], without repetition.
    """
    count = pruning_sample_count(len(indices), sample_frac)
    return indices[torch.randperm(len(indices), generator=generator)[:count]]


def pruning_sample_count(n: int, sample_frac: float) -> int:
    """How many of n images make up pi_t."""
    return max(2, round(sample_frac * n))
