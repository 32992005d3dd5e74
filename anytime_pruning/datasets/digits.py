"""Read scikit-learn's 1,797 scans of handwritten digits, 8 x 8 pixels in 17 grey levels, without any download."""

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np

from anytime_pruning.datasets.base import DatasetSettings, ImageArrays
from anytime_pruning.datasets.pixel_statistics import channel_statistics
from anytime_pruning.foundation.registry import register

TEST_COUNT = 360
TRAIN_COUNT = 1797 - TEST_COUNT


@register("dataset", "digits")
class Digits(DatasetSettings):
    """Splits the scans, always alike and stratified, into 1,437 training and 360 test images [N, 1, 8, 8]."""

    source: Literal["digits"] = "digits"

    def train_count(self) -> int:
        """Return the number of training images."""
        return TRAIN_COUNT

    def read(self, data_dir: Path) -> ImageArrays:
        """Read and split the scans, which are part of scikit-learn."""
        # scikit-learn takes a second to import, and planning a study does not need it.
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        scans = load_digits()
        images = np.round(scans.images * (255 / 16)).astype(np.uint8)[:, None]
        labels = scans.target.astype(np.int64)
        train, test = train_test_split(np.arange(len(labels)), test_size=TEST_COUNT, stratify=labels, random_state=0)
        mean, std = channel_statistics(images[train])
        return ImageArrays(
            train_images=images[train],
            train_labels=labels[train],
            test_images=images[test],
            test_labels=labels[test],
            class_names=tuple(str(digit) for digit in range(10)),
            mean=mean,
            std=std,
            crop_padding=1,
            flip=False,  # a mirrored digit is not a digit
            content_sha256=hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest(),
        )
