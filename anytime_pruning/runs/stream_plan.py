"""Plan which images each megabatch trains, validates and scores on."""

from torch import Tensor

from anytime_pruning.foundation.registry import lookup
from anytime_pruning.machine.randomness import make_generator
from anytime_pruning.runs.invariants import check_indices
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.stream.megabatches import Megabatch, split_stream
from anytime_pruning.stream.sample import pruning_sample


def plan_stream(
    settings: RunSettings, n_images: int
) -> tuple[list[tuple[Tensor, Tensor]], list[Tensor], list[tuple[int, int, int]]]:
    """Of every megabatch the replay-inclusive set, training and validation indices; the sample to score on; counts."""
    stream = split_stream(
        n_images,
        settings.n_megabatches,
        settings.valid_frac,
        make_generator(settings.seed, "stream"),
        settings.train_limit,
    )
    replayed = [_replay(settings, stream[:t]) for t in range(1, len(stream) + 1)]
    samples = [pruning_sample(settings, stream[:t], train) for t, (train, _) in enumerate(replayed, start=1)]
    check_indices(stream, replayed, samples, n_images, settings.train_limit)
    return (
        replayed,
        samples,
        [(len(train), len(valid), len(sample)) for (train, valid), sample in zip(replayed, samples)],
    )


def _replay(settings: RunSettings, arrived: list[Megabatch]) -> tuple[Tensor, Tensor]:
    """Training and validation indices at one megabatch, by one policy and its own random draws for each.

    A memory of fixed size holds validation images beside its training images, in the stream's proportion.
    """
    policy = lookup("replay", settings.replay)
    *past, current = arrived
    size, share = settings.buffer_size, settings.valid_frac
    valid_size = max(1, round(size * share / (1 - share)))
    return (
        policy([m.train for m in past], current.train, size, make_generator(settings.seed, "replay train")),
        policy([m.valid for m in past], current.valid, valid_size, make_generator(settings.seed, "replay valid")),
    )
