"""Plan a stream before it begins: which images each megabatch trains, validates and scores on, and its density."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anytime_pruning.foundation.errors import SettingError, first_line
from anytime_pruning.foundation.registry import lookup
from anytime_pruning.machine.memory import is_out_of_memory
from anytime_pruning.machine.preservation import preserved
from anytime_pruning.machine.randomness import make_generator
from anytime_pruning.pruning.protocols import make_protocol
from anytime_pruning.runs.invariants import check_indices
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.stream import replay  # noqa: F401  (policies register themselves)
from anytime_pruning.stream.megabatches import Megabatch, split_stream
from anytime_pruning.stream.sample import SampleDraw


@dataclass(frozen=True)
class PlannedMegabatch:
    """Holds the plan for a megabatch, which is known before the run begins.

    Attributes:
        t: index of the megabatch, from 1.
        train: int64 [n], indices of the training part of the replay-inclusive set.
        valid: int64 [m], indices of the validation part of the replay-inclusive set.
        sample: int64 [k], pi_t, indices of the training images for scoring.
        density: density that the schedule asks for, in (0, 1].
    """

    t: int
    train: Tensor
    valid: Tensor
    sample: Tensor
    density: float

    @property
    def counts(self) -> tuple[int, int, int]:
        """Return the numbers of images to train on, to validate on and to score on."""
        return len(self.train), len(self.valid), len(self.sample)


def plan_stream(settings: RunSettings, n_images: int) -> list[PlannedMegabatch]:
    """Plan all T megabatches of a run.

    Args:
        settings: settings of the run.
        n_images: number of training images in the dataset.

    Raises:
        SettingError: the dataset is too small for the stream, or the replay policy returns no indices.
        InvariantError: an image would be used before it arrives, or in the wrong part.
    """
    stream = split_images(settings, n_images)
    arrivals = [stream[:t] for t in range(1, len(stream) + 1)]
    replayed = [replay_parts(settings, arrived) for arrived in arrivals]
    samples = [draw_sample(settings, arrived, train) for arrived, (train, _) in zip(arrivals, replayed)]
    check_indices(stream, replayed, samples, n_images, settings.train_limit)
    return [
        PlannedMegabatch(megabatch.t, *parts, sample, density)
        for megabatch, parts, sample, density in zip(stream, replayed, samples, settings.densities())
    ]


def split_images(settings: RunSettings, n_images: int) -> list[Megabatch]:
    """Return the images that arrive with each of the T megabatches of a run, without those that are replayed.

    Args:
        settings: settings of the run.
        n_images: number of training images in the dataset.

    Raises:
        SettingError: the dataset is too small for the stream.
    """
    generator = make_generator(settings.seed, "stream")
    return split_stream(n_images, settings.n_megabatches, settings.valid_frac, generator, settings.train_limit)


def replay_parts(settings: RunSettings, arrived: Sequence[Megabatch]) -> tuple[Tensor, Tensor]:
    """Return the training and the validation part of the replay-inclusive set at one megabatch.

    The same policy chooses both parts, with separate random draws. A memory of fixed size holds training and validation
    images in the proportion of the stream.

    Args:
        settings: settings of the run.
        arrived: the megabatches M_1 ... M_t.
    """
    policy = lookup("replay", settings.replay)
    *past, current = arrived
    size, share = settings.buffer_size, settings.valid_frac
    valid_size = max(1, round(size * share / (1 - share)))
    train = policy([m.train for m in past], current.train, size, make_generator(settings.seed, "replay train"))
    valid = policy([m.valid for m in past], current.valid, valid_size, make_generator(settings.seed, "replay valid"))
    return _checked_indices(train, settings.replay), _checked_indices(valid, settings.replay)


def _checked_indices(returned: object, policy: str) -> Tensor:
    """Return what a replay policy returned, if it can be indices; which ones they are is checked with the whole plan.

    Raises:
        SettingError: it cannot; the message says what the policy returned.
    """
    if isinstance(returned, Tensor):
        is_plain = returned.dtype == torch.int64 and returned.device.type == "cpu" and returned.layout == torch.strided
        if is_plain and returned.dim() == 1 and len(returned):
            return returned
        found = f"a tensor {list(returned.shape)} of {returned.dtype} on {returned.device}"
    else:
        found = f"a {type(returned).__name__}"
    raise SettingError(
        f"replay: {policy!r} is not allowed: it returns {found}; wanted: indices of one image or more, as a tensor [n] "
        "of torch.int64 on the CPU"
    )


def draw_sample(settings: RunSettings, arrived: Sequence[Megabatch], replayed: Tensor) -> Tensor:
    """Return pi_t, the training images that the protocol chooses for scoring.

    Args:
        settings: settings of the run.
        arrived: the megabatches M_1 ... M_t.
        replayed: int64 [n], the training part of the replay-inclusive set at t.

    Returns:
        int64 [k]; each protocol says how many images it takes and from which images.
    """
    generator = make_generator(settings.seed, f"pruning sample {arrived[-1].t}")
    draw = SampleDraw(settings.sample_frac, generator)
    return make_protocol(settings.protocol).draw_sample(arrived, replayed, settings.prune_on, draw)


def check_single_samples(
    settings: RunSettings, plan: Sequence[PlannedMegabatch], model: nn.Module, images: Tensor
) -> None:
    """Check that the network can train on a single image, if a protocol keeps a batch of one image anywhere.

    A network whose last feature maps have one pixel cannot: batch norm would have to normalise a single value.

    Args:
        settings: settings of the run.
        plan: the plan of all megabatches.
        model: maps images [B, C, H, W] in [0, 1] to logits; the model stays as it is.
        images: uint8 [N, C, H, W], the training images, on the model's device.

    Raises:
        SettingError: the network cannot; the message names the batch size and the megabatch.
    """
    protocol = make_protocol(settings.protocol)
    if not protocol.training.keeps_single_sample:
        return
    scoring_batch = protocol.scoring_batch or settings.batch_size
    for megabatch in plan:
        if len(megabatch.train) % settings.batch_size == 1:
            setting = f"batch_size: {settings.batch_size}"
        elif len(megabatch.sample) % scoring_batch == 1:
            setting = f"sample_frac: {settings.sample_frac}"
        else:
            continue
        if problem := _problem_of_single_image(model, images):
            raise SettingError(
                f"{setting} is not allowed with protocol {settings.protocol}: megabatch {megabatch.t} leaves a last "
                f"batch of one image, which {settings.model} cannot train on: {problem}"
            )


def _problem_of_single_image(model: nn.Module, images: Tensor) -> str | None:
    """Return what torch says about a forward pass of one image in train mode, or None if the pass succeeds."""
    with preserved(model), torch.no_grad():
        model.train()
        try:
            logits = model(images[:1].float().div(255))
        except Exception as error:
            if is_out_of_memory(error):
                raise
            return first_line(error)
    is_one = isinstance(logits, Tensor) and logits.dim() == 2 and len(logits) == 1
    return None if is_one else "its output is not a tensor of logits of one image"
