"""Describe a network: its input, its parameters and the size of its files."""

from typing import Any

from safetensors.torch import save
from torch import Tensor, nn

from anytime_pruning.datasets import ImageArrays
from anytime_pruning.export.sparse_weights import pack
from anytime_pruning.pruning.prunable import prunable_weights


def describe_input(arrays: ImageArrays) -> dict[str, Any]:
    """What a network has to know of the images it is given."""
    return {
        "image_shape": list(arrays.image_shape),
        "n_classes": arrays.n_classes,
        "mean": list(arrays.mean),
        "std": list(arrays.std),
    }


def describe_size(model: nn.Module) -> dict[str, Any]:
    """Parameters of a network, and bytes of the files that hold it as it is and with its zeros left out."""
    weights = copy_weights(model)
    return {
        "parameter_count": sum(parameter.numel() for parameter in model.parameters()),
        "size": {"dense_bytes": len(save(weights)), "sparse_bytes": len(pack(weights, prunable_weights(model)))},
    }


def copy_weights(model: nn.Module) -> dict[str, Tensor]:
    """Its state dict; copies, because safetensors refuses tensors that share memory, as tied weights do."""
    return {name: tensor.detach().clone().contiguous() for name, tensor in model.state_dict().items()}
