"""Images on the training device: one uint8 tensor, from which batches are gathered, augmented and converted there."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from anytime_pruning.foundation import signals
from anytime_pruning.stream.batching import batch_bounds


@dataclass(frozen=True)
class ImageSet:
    """uint8 images [N, C, H, W] and int64 labels [N] on one device, and how its images may be augmented."""

    images: Tensor
    labels: Tensor
    crop_padding: int = 0
    flip: bool = False

    @classmethod
    def from_arrays(
        cls, images: np.ndarray, labels: np.ndarray, device: torch.device, crop_padding: int = 0, flip: bool = False
    ) -> "ImageSet":
        """Move numpy arrays to a device, once."""
        return cls(torch.from_numpy(images).to(device), torch.from_numpy(labels).to(device), crop_padding, flip)

    def __len__(self) -> int:
        return len(self.labels)

    def plan(
        self, indices: Tensor, batch_size: int, augment_with: Generator | None = None
    ) -> Iterator[tuple[Tensor, ...]]:
        """What `take` needs for each batch, in the order of the indices; all of it on the images' device.

        Args:
            indices: int64 [n] into this set.
            batch_size: samples of a batch; the last one holds what remains, and is never a single sample beside others
                (batch norm cannot normalise one value): a single remaining sample joins the batch before it.
            augment_with: a CPU generator draws random crops and flips with it; None leaves images as they are.

        Yields:
            Indices int64 [B]; with augmentation also shifts int64 [B, 2] and flips bool [B].
        """
        # All draws of an epoch at once, on the CPU, so that every device sees the same augmentation.
        draws = self._draw(len(indices), augment_with) if augment_with is not None else ()
        parts = [part.to(self.images.device) for part in (indices, *draws)]
        for start, end in batch_bounds(len(indices), batch_size):
            yield tuple(part[start:end] for part in parts)

    def take(self, indices: Tensor, shifts: Tensor | None = None, flips: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """One batch: float32 images [B, C, H, W] in [0, 1], and int64 labels [B]."""
        images = self.images[indices] if shifts is None else self._augment(indices, shifts, flips)
        return images.float().div_(255), self.labels[indices]

    def batches(
        self, indices: Tensor, batch_size: int, augment_with: Generator | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and labels of each batch: `plan` and `take` together. Between them a process may stop."""
        for batch in self.plan(indices, batch_size, augment_with):
            signals.check()
            yield self.take(*batch)

    def _draw(self, count: int, generator: Generator) -> tuple[Tensor, Tensor]:
        shifts = torch.randint(0, 2 * self.crop_padding + 1, (count, 2), generator=generator)
        flips = torch.randint(0, 2, (count,), generator=generator, dtype=torch.bool) & self.flip
        return shifts, flips

    def _augment(self, indices: Tensor, shifts: Tensor, flips: Tensor) -> Tensor:
        """Pad with zeros, cut out at each image's own shift, mirror some: one gather for a batch [B, C, H, W]."""
        images = self.images[indices]
        _, _, height, width = images.shape
        device = images.device
        padded = torch.nn.functional.pad(images, (self.crop_padding,) * 4)
        rows = torch.arange(height, device=device) + shifts[:, :1]
        columns = torch.arange(width, device=device).expand(len(images), -1)
        columns = torch.where(flips[:, None], width - 1 - columns, columns) + shifts[:, 1:]
        # One index for each image, row and column; channels stay whole.
        each = torch.arange(len(images), device=device)[:, None, None]
        return padded.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
