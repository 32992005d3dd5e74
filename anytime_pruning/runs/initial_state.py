"""Begin with given weights or masks: safetensors files that settings name by path and SHA-256."""

import hashlib
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from anytime_pruning.foundation.errors import DataError
from anytime_pruning.pruning.masks import Masks
from anytime_pruning.pruning.prunable import prunable_weights

if TYPE_CHECKING:
    from anytime_pruning.settings.execution import StartFile
    from anytime_pruning.settings.run import RunSettings


def load_initial_weights(model: nn.Module, settings: "RunSettings") -> None:
    """Give a network the weights that the settings name, such as those of another run; none named, no change.

    Raises:
        DataError: the file is missing, is another one than named, or is not of this network.
    """
    if settings.initial_weights is None:
        return
    tensors = _read("initial_weights", settings.initial_weights)
    expected = model.state_dict()
    wrong = sorted(
        {name for name in {*expected, *tensors} if name not in expected or name not in tensors}
        | {name for name in expected if name in tensors and tensors[name].shape != expected[name].shape}
    )
    if wrong:
        raise DataError(
            f"initial_weights: {settings.initial_weights.path} does not fit {settings.model}: {wrong[0]} is missing, "
            "unknown or of another shape"
        )
    model.load_state_dict(tensors, strict=True)


def load_initial_masks(model: nn.Module, settings: "RunSettings") -> Masks:
    """The masks that the settings name: in the file's tensors, what is not zero is kept. Empty if none are named.

    So the weights of a pruned run serve as its mask, too; tensors of other names than prunable weights are not read.

    Returns:
        Bool masks by parameter name, on the network's device.

    Raises:
        DataError: the file is missing, is another one than named, or is not of this network.
    """
    if settings.initial_mask is None:
        return {}
    tensors = _read("initial_mask", settings.initial_mask)
    masks = {}
    for name, weight in prunable_weights(model).items():
        if name not in tensors or tensors[name].shape != weight.shape:
            raise DataError(
                f"initial_mask: {settings.initial_mask.path} does not fit {settings.model}: {name} is missing or of "
                f"another shape than {list(weight.shape)}"
            )
        masks[name] = (tensors[name] != 0).to(weight.device)
    if not any(mask.any() for mask in masks.values()):
        raise DataError(f"initial_mask: {settings.initial_mask.path} keeps no weight")
    return masks


def _read(setting: str, file: "StartFile") -> dict[str, Tensor]:
    """The tensors of a file whose content is checked."""
    if file.path.exists() and not file.path.is_file():
        # A pipe would be waited for, a device read without end.
        raise DataError(f"{setting}: {file.path}: is no file")
    try:
        content = file.path.read_bytes()
    except OSError as error:
        raise DataError(f"{setting}: {file.path}: {error.strerror}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise DataError(f"{setting}: {file.path} has sha256 {found}, but the settings name {file.sha256}")
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise DataError(f"{setting}: {file.path} is not a safetensors file: {' '.join(str(error).split())}") from None
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise DataError(f"{setting}: {file.path}: {name} has values that are not finite")
    return tensors
