"""Define the rules that name prunable weights by the kind of layer.

A rule takes one layer and names the weights of this layer that may be pruned. Rules are registered under the kind
`prunable`, and the setting `prunable` names one or several of them.
"""

import torch
from torch import nn

from anytime_pruning.foundation.registry import register

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
LINEAR = (nn.Linear,)


def is_of_kind(layer: nn.Module, kinds: tuple[type[nn.Module], ...]) -> bool:
    """Return whether a layer is of one of several classes, also if the layer is scripted."""
    if isinstance(layer, torch.jit.ScriptModule):
        return getattr(layer, "original_name", None) in {kind.__name__ for kind in kinds}
    return isinstance(layer, kinds)


@register("prunable", "conv")
def name_convolution_weights(layer: nn.Module) -> tuple[str, ...]:
    """Name the weight of a convolution, as the paper does; biases always stay.

    Args:
        layer: one module of a network, without its children.

    Returns:
        Names of weights of this layer; empty if the layer is not a convolution.
    """
    return ("weight",) if is_of_kind(layer, CONVOLUTIONS) else ()


@register("prunable", "linear")
def name_linear_weights(layer: nn.Module) -> tuple[str, ...]:
    """Name the weight of a linear layer, or the weights with which an attention layer projects its inputs."""
    if isinstance(layer, nn.MultiheadAttention):
        joined, separate = ("in_proj_weight",), ("q_proj_weight", "k_proj_weight", "v_proj_weight")
        return joined if layer.in_proj_weight is not None else separate
    return ("weight",) if is_of_kind(layer, LINEAR) else ()


@register("prunable", "conv_transpose")
def name_transposed_weights(layer: nn.Module) -> tuple[str, ...]:
    """Name the weight of a transposed convolution."""
    return ("weight",) if is_of_kind(layer, TRANSPOSED) else ()
