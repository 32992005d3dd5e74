"""Hold images on the training device as one uint8 tensor, and gather, augment and convert batches there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Generator, Tensor

from anytime_pruning.foundation import signals
from anytime_pruning.stream.batching import batch_bounds


@dataclass(frozen=True)
class ImageSet:
    """Holds labelled images on one device, and says how the images may be augmented.

    Attributes:
        images: uint8 [N, C, H, W].
        labels: int64 [N].
        crop_padding: pixels of zeros around an image before its random crop; 0 means no crop.
        flip: whether an image may be mirrored.
    """

    images: Tensor
    labels: Tensor
    crop_padding: int = 0
    flip: bool = False

    @classmethod
    def from_arrays(
        cls,
        images: npt.NDArray[np.uint8],
        labels: npt.NDArray[Any],
        device: torch.device,
        crop_padding: int = 0,
        flip: bool = False,
    ) -> ImageSet:
        """Make a set of numpy arrays on a device.

        Args:
            images: uint8 [N, C, H, W].
            labels: [N], whole numbers.
            device: the device to move both arrays to.
            crop_padding: pixels of zeros around an image before its random crop; 0 means no crop.
            flip: whether an image may be mirrored.
        """
        return cls(torch.from_numpy(images).to(device), torch.from_numpy(labels).to(device), crop_padding, flip)

    def __len__(self) -> int:
        return len(self.labels)

    def plan(
        self,
        indices: Tensor,
        batch_size: int,
        augment_with: Generator | None = None,
        keeps_single_sample: bool = False,
    ) -> Iterator[tuple[Tensor, ...]]:
        """Plan batches in the order of given indices; `take` then gathers each planned batch.

        Args:
            indices: int64 [n] into this set.
            batch_size: samples of a batch; `batch_bounds` explains the size of the last batch.
            augment_with: a CPU generator that draws random crops and flips; None leaves images as they are.
            keeps_single_sample: whether a single remaining sample is a batch of its own.

        Yields:
            For each batch, on the images' device, indices int64 [B]; with augmentation also shifts int64 [B, 2] and
            flips bool [B].
        """
        # All random numbers of an epoch are drawn at once on the CPU, so that the augmentation is the same on every
        # device.
        draws = self._draw(len(indices), augment_with) if augment_with is not None else ()
        parts = [part.to(self.images.device) for part in (indices, *draws)]
        for start, end in batch_bounds(len(indices), batch_size, keeps_single_sample):
            yield tuple(part[start:end] for part in parts)

    def take(self, indices: Tensor, shifts: Tensor | None = None, flips: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Gather one batch from the tensors that `plan` yielded for this batch.

        Returns:
            float32 images [B, C, H, W] in [0, 1], and int64 labels [B].
        """
        images = self.images[indices] if shifts is None or flips is None else self._augment(indices, shifts, flips)
        return images.float().div_(255), self.labels[indices]

    def batches(
        self,
        indices: Tensor,
        batch_size: int,
        augment_with: Generator | None = None,
        keeps_single_sample: bool = False,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the images and labels of each batch of `plan`. A signal may stop the process between two batches."""
        for batch in self.plan(indices, batch_size, augment_with, keeps_single_sample):
            signals.check()
            yield self.take(*batch)

    def _draw(self, count: int, generator: Generator) -> tuple[Tensor, Tensor]:
        shifts = torch.randint(0, 2 * self.crop_padding + 1, (count, 2), generator=generator)
        flips = torch.randint(0, 2, (count,), generator=generator, dtype=torch.bool) & self.flip
        return shifts, flips

    def _augment(self, indices: Tensor, shifts: Tensor, flips: Tensor) -> Tensor:
        """Pad images with zeros, crop each one at its own shift and mirror some, with a single gather: [B, C, H, W]."""
        images = self.images[indices]
        _, _, height, width = images.shape
        device = images.device
        padded = torch.nn.functional.pad(images, (self.crop_padding,) * 4)
        rows = torch.arange(height, device=device) + shifts[:, :1]
        columns = torch.arange(width, device=device).expand(len(images), -1)
        columns = torch.where(flips[:, None], width - 1 - columns, columns) + shifts[:, 1:]
        # There is one index for each image, row and column, because the channels of a pixel stay together.
        each = torch.arange(len(images), device=device)[:, None, None]
        return padded.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
