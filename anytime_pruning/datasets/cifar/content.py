"""Identify labelled images by their content, and put them in an order that depends on nothing else.

The same images then have the same digest and the same order, whatever archive, folder or file format they come from.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from anytime_pruning.datasets.base import Labels, Pixels


@dataclass(frozen=True)
class LabelledImages:
    """Holds a training or a test set.

    Attributes:
        images: uint8 [N, C, H, W].
        labels: int64 [N].
    """

    images: Pixels
    labels: Labels

    def in_order_of_content(self) -> tuple["LabelledImages", bytes]:
        """Return the same images in the order of their digests, and the digest of the whole set.

        The digest of an image is the SHA-256 of its label, as eight bytes with the lowest first, and its pixels. The
        digest of the set is the SHA-256 of the sorted digests, so it does not depend on the order of the set. Images
        with equal digests are equal, so the order is complete.
        """
        digests = [
            hashlib.sha256(int(label).to_bytes(8, "little") + np.ascontiguousarray(image).tobytes()).digest()
            for image, label in zip(self.images, self.labels)
        ]
        order = sorted(range(len(digests)), key=digests.__getitem__)
        whole = hashlib.sha256(b"".join(digests[position] for position in order)).digest()
        return LabelledImages(self.images[order], self.labels[order]), whole

    def channel_sums(self) -> tuple[int, ...]:
        """Return the sum of all pixels of each channel."""
        return tuple(int(total) for total in self.images.sum(axis=(0, 2, 3), dtype=np.int64))
