"""Give the lazy layers of a network their weights."""

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy


def has_lazy_layers(model: nn.Module) -> bool:
    """Return whether a parameter or buffer of a network waits for a first forward pass to get its shape."""
    return any(is_lazy(tensor) for tensor in (*model.parameters(), *model.buffers()))


def materialize(model: nn.Module, images: Tensor) -> None:
    """Give lazy layers their weights by a forward pass in eval mode, which draws them from the global random state.

    Args:
        model: the network, which keeps its modes.
        images: float32 [B, C, H, W], on the network's device.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            model(images)
    finally:
        for module, mode in modes.items():
            module.training = mode
