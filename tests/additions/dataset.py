"""Adds a dataset of noise in which the images of the second class have a bright square."""

import hashlib
from typing import Literal

import numpy as np

from anytime_pruning import register
from anytime_pruning.datasets import DatasetSettings, ImageArrays


@register("dataset", "squares")
class Squares(DatasetSettings):
    """Draws 200 training and 50 test images [N, 1, 8, 8] of two classes, always the same."""

    source: Literal["squares"] = "squares"

    def read(self, data_dir):
        """Draw all images."""
        images = np.random.default_rng(0).integers(0, 100, (250, 1, 8, 8), dtype=np.uint8)
        labels = np.arange(250) % 2
        images[labels == 1, :, 2:6, 2:6] += 100
        return ImageArrays(
            train_images=images[:200],
            train_labels=labels[:200],
            test_images=images[200:],
            test_labels=labels[200:],
            class_names=("noise", "square"),
            mean=(0.25,),  # of each channel, with pixels from 0 to 1
            std=(0.2,),
            crop_padding=1,
            flip=True,
            content_sha256=hashlib.sha256(images.tobytes()).hexdigest(),
        )
