"""Give the lazy layers of a network their weights."""

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from anytime_pruning.foundation.errors import SettingError, message_of, name_some


def has_lazy_layers(model: nn.Module) -> bool:
    """Return whether a parameter or buffer of a network waits for a first forward pass to get its shape."""
    return any(is_lazy(tensor) for tensor in (*model.parameters(), *model.buffers()))


def materialize(model: nn.Module, images: Tensor, name: str = "this network") -> None:
    """Give lazy layers their weights by a forward pass in eval mode, which draws them from the global random state.

    Args:
        model: the network, which keeps its modes.
        images: float32 [B, C, H, W], on the network's device.
        name: the network, for messages.

    Raises:
        SettingError: the pass fails, or a layer that it does not reach stays lazy.
    """
    modes = {module: module.training for module in model.modules()}
    start = f"model: {name} is not allowed: its first pass, which gives lazy layers their weights,"
    model.eval()
    try:
        with torch.no_grad():
            model(images)
    except (torch.OutOfMemoryError, MemoryError, SettingError):
        raise
    except Exception as error:
        what = f"{type(error).__name__} for images {list(images.shape)}: {message_of(error)}"
        raise SettingError(f"{start} raises {what}") from error
    finally:
        for module, mode in modes.items():
            module.training = mode
    tensors = (*model.named_parameters(), *model.named_buffers())
    if waiting := [where for where, tensor in tensors if is_lazy(tensor)]:
        raise SettingError(f"{start} does not reach {name_some(waiting)}; remove these layers, or give them sizes")
