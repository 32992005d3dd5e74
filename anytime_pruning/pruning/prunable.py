"""Say which weights of a network pruning may remove."""

from torch import nn


def prunable_weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """The weights that pruning may remove: those of convolutions, by parameter name, in the network's order.

    The classifier, biases and batch norm always stay (as in the released code).
    """
    weights = {
        f"{name}.weight" if name else "weight": module.weight
        for name, module in model.named_modules()
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d))
    }
    # Two convolutions may share one weight: it counts once, under its first name.
    first = {id(weight): name for name, weight in reversed(weights.items())}
    return {name: weight for name, weight in weights.items() if first[id(weight)] == name}
