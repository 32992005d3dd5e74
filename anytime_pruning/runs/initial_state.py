"""Load the weights or masks with which a run begins, from safetensors files that settings name by path and SHA-256."""

import hashlib

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from anytime_pruning.foundation.errors import DataError, message_of
from anytime_pruning.models.state import copy_state, restore_state, state_shapes
from anytime_pruning.pruning.masks import Masks
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.settings.execution import StartFile


def load_initial_weights(model: nn.Module, file: StartFile | None, model_name: str) -> None:
    """Give a network the weights of a file, such as those of another run, in place.

    Args:
        model: the network.
        file: the setting `initial_weights`; None leaves the network as it is.
        model_name: name of the network, for messages.

    Raises:
        DataError: the file is missing, does not have the SHA-256 of the setting, or does not fit the network.
    """
    if file is None:
        return
    tensors = _read("initial_weights", file)
    expected, found = state_shapes(copy_state(model)), state_shapes(tensors)
    if wrong := sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name)):
        raise DataError(
            f"initial_weights: {file.path} does not fit {model_name}: {wrong[0]} is missing, unknown or has another "
            "shape"
        )
    restore_state(model, tensors)


def load_initial_masks(model: nn.Module, file: StartFile | None, model_name: str) -> Masks:
    """Load masks from a file: a weight is kept where the file's tensor is not zero.

    The stored weights of a pruned run can therefore serve as masks. Tensors that are not prunable weights are ignored.

    Args:
        model: the network.
        file: the setting `initial_mask`; None means no masks.
        model_name: name of the network, for messages.

    Returns:
        Bool masks by parameter name, on the network's device; empty if no file is given.

    Raises:
        DataError: the file is missing, does not have the SHA-256 of the setting, or does not fit the network.
    """
    if file is None:
        return {}
    tensors = _read("initial_mask", file)
    masks = {}
    for name, weight in prunable_weights(model).items():
        if name not in tensors or tensors[name].shape != weight.shape:
            raise DataError(
                f"initial_mask: {file.path} does not fit {model_name}: {name} is missing or has another shape than "
                f"{list(weight.shape)}"
            )
        masks[name] = (tensors[name] != 0).to(weight.device)
    if not any(mask.any() for mask in masks.values()):
        raise DataError(f"initial_mask: {file.path} keeps no weight")
    return masks


def _read(setting: str, file: StartFile) -> dict[str, Tensor]:
    """Read the tensors of a file and check the SHA-256 of the file."""
    if file.path.exists() and not file.path.is_file():
        # Reading a pipe would wait for a writer, and reading a device might never end.
        raise DataError(f"{setting}: {file.path}: is not a file")
    try:
        content = file.path.read_bytes()
    except OSError as error:
        raise DataError(f"{setting}: {file.path}: {error.strerror}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise DataError(f"{setting}: {file.path} has sha256 {found}, but the settings name {file.sha256}")
    try:
        tensors: dict[str, Tensor] = load(content)
    except SafetensorError as error:
        raise DataError(f"{setting}: {file.path} is not a safetensors file: {message_of(error)}") from None
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise DataError(f"{setting}: {file.path}: {name} has values that are not finite")
    return tensors
