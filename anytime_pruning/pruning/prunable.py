"""Decide which weights of a network may be pruned; no other module decides this.

A rule looks at one layer and names the parameters of this layer that may be pruned. Rules are registered under the kind
`prunable`. One or several rules are applied to a network.
"""

from collections.abc import Sequence

from torch import nn

from anytime_pruning.foundation.registry import lookup, register

# In the paper only convolutions are pruned.
DEFAULT_RULES = ("conv",)


@register("prunable", "conv")
def name_convolution_weights(layer: nn.Module) -> tuple[str, ...]:
    """Name the weight of a convolution.

    The classifier, biases and batch norm always stay, as in the released code.

    Args:
        layer: one module of a network, without its children.

    Returns:
        Names of parameters of this layer; empty if the layer is not a convolution.
    """
    return ("weight",) if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Conv3d)) else ()


def prunable_weights(model: nn.Module, rules: Sequence[str] = DEFAULT_RULES) -> dict[str, nn.Parameter]:
    """Return the weights that pruning may remove.

    Args:
        model: any network.
        rules: registered names; a parameter is prunable if one of the rules names it.

    Returns:
        Weights by parameter name, in the network's order. A weight that two layers share appears once, under its first
        name.

    Raises:
        SettingError: a rule is not registered.
    """
    weights: dict[str, nn.Parameter] = {}
    seen: set[int] = set()
    for prefix, layer in model.named_modules():
        for rule in rules:
            for name in lookup("prunable", rule)(layer):
                weight = getattr(layer, name)
                if id(weight) not in seen:
                    seen.add(id(weight))
                    weights[f"{prefix}.{name}" if prefix else name] = weight
    return weights


def count_prunable(model: nn.Module) -> int:
    """Count the weights that pruning may remove."""
    return sum(weight.numel() for weight in prunable_weights(model).values())
