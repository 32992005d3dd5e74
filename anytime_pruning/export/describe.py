"""Describe a network for metrics.json: its input, its parameters and the sizes of its files."""

from safetensors.torch import save
from torch import nn

from anytime_pruning.datasets import ImageArrays
from anytime_pruning.export.sparse_weights import pack
from anytime_pruning.models.state import copy_state
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.results.metrics_file import FileSizes, NetworkInput


def describe_input(arrays: ImageArrays) -> NetworkInput:
    """Return the shape, classes and normalisation of a dataset's images, which describe the input of a network."""
    return NetworkInput(
        image_shape=arrays.image_shape, n_classes=arrays.n_classes, mean=tuple(arrays.mean), std=tuple(arrays.std)
    )


def count_parameters(model: nn.Module) -> int:
    """Count the parameters of a network, including pruned ones."""
    return sum(parameter.numel() for parameter in model.parameters())


def measure_files(model: nn.Module) -> FileSizes:
    """Return the bytes of the files that hold a network's weights, with zeros stored and with zeros left out."""
    weights = copy_state(model)
    return FileSizes(dense_bytes=len(save(weights)), sparse_bytes=len(pack(weights, prunable_weights(model))))
