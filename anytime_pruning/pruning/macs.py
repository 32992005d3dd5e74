"""Count the multiply-accumulates that a network needs for one image, layer by layer."""

import torch
from torch import Tensor, nn

from anytime_pruning.foundation.metrics import MacCount
from anytime_pruning.pruning.prunable import prunable_weights


def count_macs(model: nn.Module, image_shape: tuple[int, int, int]) -> MacCount:
    """Count multiply-accumulates in one forward pass of an empty image in eval mode; the network does not change.

    Batch norm, activations and pooling are not counted, as is usual.

    Args:
        model: maps images [B, C, H, W] to logits.
        image_shape: (channels, height, width).
    """
    names = {id(weight): name for name, weight in prunable_weights(model).items()}
    positions, linear = dict.fromkeys(names.values(), 0), 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal linear
        if isinstance(module, nn.Linear):
            linear += output.numel() // module.out_features * module.weight.numel()
        elif isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            positions[names[id(module.weight)]] += output.numel() // module.out_channels

    layers = [m for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    modes = {module: module.training for module in model.modules()}
    try:
        model.eval()
        with torch.no_grad():
            model(torch.zeros(1, *image_shape, device=next(model.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes.items():
            module.training = mode
    return MacCount(positions, linear)
