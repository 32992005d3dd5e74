"""Images on the training device: one uint8 tensor, from which batches are gathered, augmented and converted there."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor


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

    def batches(
        self, indices: Tensor, batch_size: int, augment_with: Generator | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches in the order of the indices.

        Args:
            indices: int64 [n] into this set.
            batch_size: samples of a batch; the last one holds what remains, and is never a single sample beside others
                (batch norm cannot normalise one value): a single remaining sample joins the batch before it.
            augment_with: a CPU generator draws random crops and flips with it; None leaves images as they are.
        Yields:
            float32 images [B, C, H, W] in [0, 1] and int64 labels [B].
        """
        indices = indices.to(self.images.device)
        # All draws of an epoch at once, on the CPU, so that every device sees the same augmentation.
        draws = self._draw(len(indices), augment_with) if augment_with is not None else None
        for start, end in batch_bounds(len(indices), batch_size):
            chosen = indices[start:end]
            images = self.images[chosen]
            if draws is not None:
                images = self._augment(images, *(draw[start:end] for draw in draws))
            yield images.float().div_(255), self.labels[chosen]

    def _draw(self, count: int, generator: Generator) -> tuple[Tensor, Tensor]:
        shifts = torch.randint(0, 2 * self.crop_padding + 1, (count, 2), generator=generator)
        flips = torch.randint(0, 2, (count,), generator=generator, dtype=torch.bool) & self.flip
        return shifts.to(self.images.device), flips.to(self.images.device)

    def _augment(self, images: Tensor, shifts: Tensor, flips: Tensor) -> Tensor:
        """Pad with zeros, cut out at each image's own shift, mirror some: one gather for a batch [B, C, H, W]."""
        _, _, height, width = images.shape
        device = images.device
        padded = torch.nn.functional.pad(images, (self.crop_padding,) * 4)
        rows = torch.arange(height, device=device) + shifts[:, :1]
        columns = torch.arange(width, device=device).expand(len(images), -1)
        columns = torch.where(flips[:, None], width - 1 - columns, columns) + shifts[:, 1:]
        # One index for each image, row and column; channels stay whole.
        each = torch.arange(len(images), device=device)[:, None, None]
        return padded.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def batch_bounds(count: int, batch_size: int) -> list[tuple[int, int]]:
    """(start, end) of each batch of `count` samples; a single last sample joins the batch before it."""
    starts = list(range(0, count, batch_size))
    if len(starts) > 1 and count - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], count]))
