"""Compute numbers over the pixels of whole sets of images without copying the images."""

import hashlib

import numpy as np

from anytime_pruning.datasets.base import ImageArrays, Pixels

# `np.bincount` makes a copy in eight bytes for each value, so it gets only so many values at once.
VALUES_AT_ONCE = 2**20


def channel_statistics(images: Pixels) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and the standard deviation of each channel.

    Both are computed from a histogram, which is exact and needs no copy of all images in floating point.

    Args:
        images: uint8 [N, C, H, W].

    Returns:
        C means and C standard deviations of the images scaled to [0, 1], rounded to four decimals.
    """
    counts = np.zeros((images.shape[1], 256), dtype=np.int64)
    step = max(1, VALUES_AT_ONCE // (images.shape[2] * images.shape[3]))
    for first in range(0, len(images), step):
        for channel in range(images.shape[1]):
            counts[channel] += np.bincount(images[first : first + step, channel].ravel(), minlength=256)
    levels = np.arange(256) / 255
    shares = counts / counts.sum(axis=1, keepdims=True)
    means = shares @ levels
    stds = np.sqrt((shares * (levels - means[:, None]) ** 2).sum(axis=1))
    # The network divides by the standard deviations, so a constant channel gets a small number instead of zero.
    return tuple(round(float(m), 4) for m in means), tuple(max(round(float(s), 4), 1e-4) for s in stds)


def count_test_images_in_train(train_images: Pixels, test_images: Pixels) -> int:
    """Return how many test images have the same pixels as some training image, whatever the labels.

    A digest of sixteen bytes is kept for each training image, so that large images take no extra memory.

    Args:
        train_images: uint8 [N, C, H, W].
        test_images: uint8 [N_test, C, H, W].
    """
    seen = {_digest(image) for image in train_images}
    return sum(_digest(image) in seen for image in test_images)


def pixels_sha256(arrays: ImageArrays) -> str:
    """Return the SHA-256 over the pixels of all images.

    The digest of the files does not tell whether two decoders, or two versions of one, made the same pixels of them.
    """
    digest = hashlib.sha256()
    for images in (arrays.train_images, arrays.test_images):
        digest.update(str(images.shape).encode())
        digest.update(np.ascontiguousarray(images).data)
    return digest.hexdigest()


def _digest(image: Pixels) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(image).data).digest()[:16]
