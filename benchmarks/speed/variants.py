"""Make the training loop of this project, and variants of it that each lack one technique, all on the same noise."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from anytime_pruning import build_model, select_masks
from anytime_pruning.machine.kernels.bfloat16 import choose_precision
from anytime_pruning.machine.kernels.memory_format import arrange
from anytime_pruning.machine.randomness import make_generator
from anytime_pruning.pruning.enforcement import apply_masks
from anytime_pruning.pruning.masks import Masks
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.runs.parts import training_options
from anytime_pruning.settings.run import parse_settings
from anytime_pruning.stream.images import ImageSet
from anytime_pruning.training.options import TrainingOptions
from anytime_pruning.training.trainer import Trainer
from benchmarks.speed.plain_loop import Batches, PlainLoop

BATCH_SIZE, IMAGE_SHAPE, N_IMAGES = 64, (3, 32, 32), 6400


@dataclass
class Variant:
    """Holds one way to train.

    Attributes:
        train: a function that takes a number of steps and trains for these steps.
        keeps_memory: whether the process keeps freed memory during training; see `machine.memory.keep_freed_memory`.
        trainer: the trainer of this project's loop; None for the plain loop.
        conditions: makes the context in which turns of this way are taken.
    """

    train: Callable[[int], None]
    keeps_memory: bool = True
    trainer: Trainer | None = None
    conditions: Callable[[], AbstractContextManager[object]] = nullcontext


def as_torch_ships() -> AbstractContextManager[object]:
    """Let cuDNN work as in a program that sets nothing: it rounds to TF32, and takes kernels without trying them.

    `prepare_process` sets both for this project's loop, in the same process. Afterwards the settings are as before.
    """
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=False, allow_tf32=True)


class LoaderImages:
    """Replaces `ImageSet`, but takes images from a DataLoader instead of the device."""

    def __init__(self, batches: Batches, device: torch.device):
        self.batches, self.images = batches, torch.empty(0, device=device)

    def plan(
        self, indices: Tensor, batch_size: int, augment_with: object, keeps_single_sample: bool
    ) -> Iterator[tuple[Tensor]]:
        """Yield one placeholder for each full batch."""
        for number in range(len(indices) // batch_size):
            yield (torch.full((batch_size,), number),)

    def take(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next batch of the DataLoader, moved to the device."""
        images, labels = self.batches.next()
        return images.to(self.images.device), labels.to(self.images.device)


def make_images() -> tuple[np.ndarray, np.ndarray]:
    """Make images of noise of CIFAR's shape, uint8 [N, C, H, W], and their labels."""
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (N_IMAGES, *IMAGE_SHAPE), np.uint8), generator.integers(0, 10, N_IMAGES)


def make_masks(model: nn.Module) -> Masks:
    """Make masks that keep the half of the weights with the largest magnitudes."""
    return select_masks({name: weight.detach().abs() for name, weight in prunable_weights(model).items()}, 0.5)


def make_options(name: str, precision: str) -> TrainingOptions:
    """Return the training options for a network of this project on images of CIFAR's shape."""
    settings = parse_settings({"dataset": "cifar10", "model": name, "precision": precision, "lr": 0.01})
    return training_options(settings)


def make_ours(name: str, device: torch.device, data: ImageSet | None = None) -> Variant:
    """Make the loop of this project without changes, on given images or on noise."""
    data = data or ImageSet.from_arrays(*make_images(), device, crop_padding=4, flip=True)
    return make_loop(name, data, make_options(name, choose_precision("auto", device)))


def make_batches() -> Batches:
    """Make a source of batches from a DataLoader on images of noise."""
    images, labels = make_images()
    return Batches(images.transpose(0, 2, 3, 1).copy(), labels, BATCH_SIZE)


def make_plain(name: str, device: torch.device, batches: Batches | None = None) -> Variant:
    """Make the plain loop, in which the C library manages memory as usual and cuDNN works as torch ships it."""
    model = build_model(name, 10, IMAGE_SHAPE).network.to(device)
    loop = PlainLoop(model, make_masks(model), batches or make_batches())
    return Variant(loop.train, keeps_memory=False, conditions=as_torch_ships)


def make_variants(name: str, device: torch.device) -> dict[str, Variant]:
    """Make the plain loop, this project's loop, and variants `without ...` that each lack one technique."""
    batches = make_batches()
    data = ImageSet.from_arrays(*make_images(), device, crop_padding=4, flip=True)
    precision = choose_precision("auto", device)
    options = make_options(name, precision)
    ours = partial(make_loop, name)
    unrecorded = replace(options, records_steps=False)
    variants = {
        "plain": make_plain(name, device, batches),
        "ours": ours(data, options),
        "without data on the device": ours(LoaderImages(batches, device), unrecorded),
        "without channels-last": ours(data, options, partial(arrange, channels_last=False)),
    }
    if precision != "float32":
        variants["without bfloat16"] = ours(data, replace(options, precision="float32"))
    elif device.type == "cpu":
        variants["with bfloat16"] = ours(data, replace(options, precision="bfloat16"))
    if device.type == "cpu":
        variants["without a fused update"] = ours(data, replace(options, fuses_updates=False))
        variants["without contiguous small maps"] = ours(data, options, partial(arrange, small_map_pixels=0))
    else:
        variants["without a CUDA graph"] = ours(data, unrecorded)
        # An update that is not fused reads the learning rate from the GPU in every step, which no graph can record. The
        # speed to compare this way with is therefore that without a graph.
        variants["without a CUDA graph and a fused update"] = ours(data, replace(unrecorded, fuses_updates=False))
        variants["with torch.compile"] = ours(data, replace(options, compile=True))
    return variants


def make_loop(
    name: str,
    data: ImageSet | LoaderImages,
    options: TrainingOptions,
    arrange_model: Callable[[nn.Module, tuple[int, int, int], torch.device], None] = arrange,
) -> Variant:
    """Make the loop of this project with given options and a given function that arranges feature maps in memory."""
    device = data.images.device
    model = build_model(name, 10, IMAGE_SHAPE).to(device)
    masks = make_masks(model)
    apply_masks(model, masks)
    arrange_model(model, IMAGE_SHAPE, device)
    trainer = Trainer(model, data, options, make_generator(0, "training"))
    trainer.optimizer.set_masks(masks)

    def train(n_steps: int) -> None:
        indices = torch.arange(n_steps * BATCH_SIZE) % N_IMAGES
        trainer.train_epoch(indices, 1, 1, trainer.begin_epoch(indices))

    return Variant(train, trainer=trainer)
