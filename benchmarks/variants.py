"""Our training loop as it is, and with each technique switched off in turn, all on the same made-up images."""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from anytime_pruning import build_model, select_masks
from anytime_pruning.machine import memory_format
from anytime_pruning.machine.devices import choose_precision
from anytime_pruning.machine.randomness import make_generator
from anytime_pruning.pruning.enforcement import apply_masks
from anytime_pruning.pruning.masks import Masks
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.settings.run import RunSettings, parse_settings
from anytime_pruning.stream.images import ImageSet
from anytime_pruning.training import trainer as training_module
from anytime_pruning.training.sgd import MaskedSGD
from anytime_pruning.training.trainer import Trainer
from benchmarks.plain_loop import Batches, PlainLoop

BATCH_SIZE, IMAGE_SHAPE, N_IMAGES = 64, (3, 32, 32), 6400
CONTIGUOUS = [(memory_format, convert, memory_format._contiguous) for convert in ("_by_map_size", "_channels_last")]
NOT_RECORDED = (training_module, "RecordedStep", lambda step, batch_size: step)


@dataclass
class Variant:
    """A way to train.

    Attributes:
        train: does so many steps.
        trainer: of our loop.
        keeps_memory: whether freed memory is kept while it runs, see `devices.keep_freed_memory`.
    """

    train: Callable[[int], None]
    keeps_memory: bool = True
    trainer: Trainer | None = None


class LoaderImages:
    """Images of a DataLoader in the place of those that lie on the device: for the technique switched off."""

    def __init__(self, batches: Batches, device: torch.device):
        self.batches, self.images = batches, torch.empty(0, device=device)

    def plan(self, indices: Tensor, batch_size: int, augment_with: object):
        for number in range(len(indices) // batch_size):
            yield (torch.full((batch_size,), number),)

    def take(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        images, labels = self.batches.next()
        return images.to(self.images.device), labels.to(self.images.device)


def make_images() -> tuple[np.ndarray, np.ndarray]:
    """Noise of CIFAR's shape, uint8 [N, C, H, W], and labels."""
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (N_IMAGES, *IMAGE_SHAPE), np.uint8), generator.integers(0, 10, N_IMAGES)


def make_masks(model: nn.Module) -> Masks:
    """Half of the weights, by magnitude."""
    return select_masks({name: weight.detach().abs() for name, weight in prunable_weights(model).items()}, 0.5)


def make_settings(name: str, precision: str, **execution: object) -> RunSettings:
    """Settings of a run that trains a network of ours on images of CIFAR's shape."""
    content = {"dataset": "cifar10", "model": name, "precision": precision, "lr": 0.01, "execution": execution}
    return parse_settings(content)


def make_ours(name: str, device: torch.device, data: ImageSet | None = None) -> Variant:
    """Our loop as it is, on given images or on made-up ones."""
    data = data or ImageSet.from_arrays(*make_images(), device, crop_padding=4, flip=True)
    return _ours(name, data, choose_precision("auto", device))


def make_batches() -> Batches:
    """The made-up images from a DataLoader."""
    images, labels = make_images()
    return Batches(images.transpose(0, 2, 3, 1).copy(), labels, BATCH_SIZE)


def make_plain(name: str, device: torch.device, batches: Batches | None = None) -> Variant:
    """The plain loop, with the C library's memory as it is by itself."""
    model = build_model(name, 10, IMAGE_SHAPE).network.to(device)
    loop = PlainLoop(model, make_masks(model), batches or make_batches())
    return Variant(loop.train, keeps_memory=False)


def make_variants(name: str, device: torch.device) -> dict[str, Variant]:
    """`plain`, `ours` and, as `without ...`, ours with one technique switched off."""
    batches = make_batches()
    data = ImageSet.from_arrays(*make_images(), device, crop_padding=4, flip=True)
    precision = choose_precision("auto", device)
    ours = make_ours(name, device, data)
    variants = {
        "plain": make_plain(name, device, batches),
        "ours": ours,
        "without data on the device": _ours(name, LoaderImages(batches, device), precision, patches=[NOT_RECORDED]),
        "without channels-last": _ours(name, data, precision, patches=CONTIGUOUS),
        "without a fused update": _ours(name, data, precision, patches=[(MaskedSGD, "fused", False)]),
    }
    if precision != "float32":
        variants["without bfloat16"] = _ours(name, data, "float32")
    if device.type == "cpu":
        no_small_maps = (memory_format, "SMALL_MAP_PIXELS", 0)
        variants["without contiguous small maps"] = _ours(name, data, precision, patches=[no_small_maps])
    else:
        variants["without a CUDA graph"] = _ours(name, data, precision, patches=[NOT_RECORDED])
        variants["with torch.compile"] = _ours(name, data, precision, compile=True)
    return variants


def _ours(
    name: str,
    data: ImageSet | LoaderImages,
    precision: str,
    patches: list[tuple[object, str, object]] | None = None,
    **execution: object,
) -> Variant:
    device = data.images.device
    model = build_model(name, 10, IMAGE_SHAPE).to(device)
    masks = make_masks(model)
    apply_masks(model, masks)
    with _patched(patches or []):
        memory_format.arrange(model, IMAGE_SHAPE, device)
        trainer = Trainer(model, data, make_settings(name, precision, **execution), make_generator(0, "training"))
    trainer.optimizer.set_masks(masks)

    def train(n_steps: int) -> None:
        with _patched(patches or []):
            train = torch.arange(n_steps * BATCH_SIZE) % N_IMAGES
            trainer.train_epoch(train, epoch=1, now=trainer.begin_pass(train))

    return Variant(train, trainer=trainer)


@contextmanager
def _patched(patches: list[tuple[object, str, object]]):
    active = [mock.patch.object(*patch) for patch in patches]
    for patch in active:
        patch.start()
    try:
        yield
    finally:
        for patch in active:
            patch.stop()
