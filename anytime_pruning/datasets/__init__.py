"""Read datasets into arrays in memory, from a cache if possible.

Each source of images is one module. This file imports these modules, and the import registers the sources.

This package imports from `foundation`. Its functions that read CIFAR import torchvision, but the package itself must
never import torch. Megabatches and augmentation must never be here.
"""

from anytime_pruning.datasets import cifar, digits, image_folder, restricted_imagenet  # noqa: F401
from anytime_pruning.datasets.base import DatasetSettings, ImageArrays, parse_dataset
from anytime_pruning.datasets.cache import load_dataset

__all__ = ["DatasetSettings", "ImageArrays", "load_dataset", "parse_dataset"]
