"""Datasets: a file for each source, imported here so that they are registered, and one cache for all of them."""

from anytime_pruning.datasets import cifar, digits, image_folder, restricted_imagenet  # noqa: F401
from anytime_pruning.datasets.base import DatasetSettings, ImageArrays, parse_dataset
from anytime_pruning.datasets.cache import load_dataset

__all__ = ["DatasetSettings", "ImageArrays", "load_dataset", "parse_dataset"]
