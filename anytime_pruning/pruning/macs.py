"""Count the multiply-accumulates that a network needs for one image, layer by layer."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from anytime_pruning.foundation.metrics import MacCount
from anytime_pruning.machine.devices import searching_kernels
from anytime_pruning.machine.preservation import preserved
from anytime_pruning.pruning.prunable import prunable_weights, weighted_layers
from anytime_pruning.pruning.prunable.rules import LINEAR, TRANSPOSED, is_of_kind


@searching_kernels(False)
def count_macs(model: nn.Module, image_shape: tuple[int, int, int]) -> MacCount:
    """Count multiply-accumulates in one forward pass of an empty image in eval mode; the network does not change.

    Batch norm, activations, pooling and products of feature maps, as in attention, are not counted. Neither are layers
    whose weight is used without a call of the layer.

    Args:
        model: maps images [B, C, H, W] to logits.
        image_shape: (channels, height, width).
    """
    layers, weights = weighted_layers(model), prunable_weights(model)
    names = {where: _name_of(layer, weights) for where, layer in layers.items()}
    positions, fixed = dict.fromkeys(weights, 0), 0

    def count(
        where: str, layer: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Tensor], output: Tensor
    ) -> None:
        nonlocal fixed
        n_positions = _positions(layer, (*inputs, *named.values())[0], output)
        if (name := names[where]) is not None:
            positions[name] += n_positions
        else:
            fixed += n_positions * layer.weight.numel()  # type: ignore[operator]

    with preserved(model), torch.no_grad():
        for where, layer in layers.items():
            # Scripted layers take no hooks, so they are not counted.
            if isinstance(layer, torch.jit.ScriptModule):
                continue
            layer.register_forward_hook(partial(count, where), with_kwargs=True)
        model.eval()
        model(torch.zeros(1, *image_shape, device=next(model.parameters()).device))
    return MacCount(positions, fixed)


def _name_of(layer: nn.Module, weights: Mapping[str, nn.Parameter]) -> str | None:
    """Return the name of the prunable weight that a layer uses, or None if the layer's weight is not prunable."""
    own = {id(parameter) for parameter in layer.parameters()}
    inside = (name for name, weight in weights.items() if id(weight) in own)
    return next(inside, None)


def _positions(layer: Any, taken: Tensor, output: Tensor) -> int:
    """Return how often one image uses each number of a layer's weight.

    Args:
        layer: a convolution, a transposed convolution or a linear layer, scripted or not.
        taken: the layer's input.
        output: the layer's output.
    """
    if is_of_kind(layer, TRANSPOSED):
        return taken.numel() // int(layer.in_channels)
    if is_of_kind(layer, LINEAR):
        return output.numel() // int(layer.out_features)
    return output.numel() // int(layer.out_channels)
