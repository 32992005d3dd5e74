"""Hold the datasets, one module a source, and read each into arrays in memory, from a cache if possible.

The modules of the sources are imported here, which registers them.

May import: `foundation`, numpy, Pillow and scikit-learn; torchvision inside functions that read CIFAR.
Never belongs here: torch at import time, the division of a dataset into megabatches, augmentation.
"""

from anytime_pruning.datasets import cifar, digits, image_folder, restricted_imagenet  # noqa: F401
from anytime_pruning.datasets.base import DatasetSettings, ImageArrays, parse_dataset
from anytime_pruning.datasets.cache import load_dataset

__all__ = ["DatasetSettings", "ImageArrays", "load_dataset", "parse_dataset"]
