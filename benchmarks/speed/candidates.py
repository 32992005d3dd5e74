"""Change a network so that a recorded step launches less, to measure whether this pays; no run does any of it.

On a CPU no change alters the numbers by more than rounding. None has been tried on a GPU yet. The stage that measures
them is called by its name and is no part of a day:

    python -m benchmarks.gpu_day.stages candidates cuda resnet50 5 1
"""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from anytime_pruning.machine.kernels.memory_format import arrange

COUNT = "num_batches_tracked"


def arrange_weights(model: nn.Module) -> None:
    """Arrange the weights of convolutions like the maps, so that no step has to reorder gradients."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)


def arrange_counts(model: nn.Module) -> None:
    """Count the batches of all batch norms by one addition."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.momentum is not None]
    counted = [norm for norm in norms if norm.num_batches_tracked is not None]
    counts = torch.stack([norm.num_batches_tracked for norm in counted])  # type: ignore[misc]  # none of them is None
    views = counts.unbind()
    for norm, view in zip(counted, views):
        norm._buffers[COUNT] = view

    def hide(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Hide the counts from the layers, which would add to each; in eval mode nothing is counted."""
        for norm in counted if module.training else ():
            norm._buffers[COUNT] = None

    def count(module: nn.Module, inputs: tuple[Any, ...], output: Tensor | None) -> None:
        for norm, view in zip(counted, views):
            norm._buffers[COUNT] = view
        if module.training and output is not None:  # None stands for an error
            counts.add_(1)

    model.register_forward_pre_hook(hide)
    model.register_forward_hook(count, always_call=True)


def arrange_casts(model: nn.Module) -> None:
    """Cast all parameters of convolutions and linear layers by one copy, where autocast would cast one by one."""
    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    places = [(layer, name, weight) for layer in layers for name, weight in layer.named_parameters(recurse=False)]
    weights = [weight for _, _, weight in places]
    flat = weights[0].new_empty(sum(weight.numel() for weight in weights)).detach()
    for weight, part in zip(weights, _parts(flat, weights)):
        weight.data = part.copy_(weight.detach())

    def cast(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if torch.is_autocast_enabled(flat.device.type):
            found = _Cast.apply(flat, torch.get_autocast_dtype(flat.device.type), *weights)
            for (layer, name, _), low in zip(places, found):
                layer._parameters[name] = low

    def bring_back(module: nn.Module, inputs: tuple[Any, ...], output: Tensor | None) -> None:
        for layer, name, weight in places:
            layer._parameters[name] = weight

    model.register_forward_pre_hook(cast)
    model.register_forward_hook(bring_back, always_call=True)


class _Cast(torch.autograd.Function):
    """Casts weights that lie in one flat tensor, and brings their gradients into another flat tensor."""

    @staticmethod
    def forward(ctx: Any, flat: Tensor, dtype: torch.dtype, *weights: Tensor) -> tuple[Tensor, ...]:
        ctx.weights = weights
        return tuple(_parts(flat.to(dtype), weights))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        flat = ctx.weights[0].new_empty(sum(map(Tensor.numel, ctx.weights)))
        parts = _parts(flat, ctx.weights)
        torch._foreach_copy_(parts, gradients)
        return None, None, *parts


def _parts(flat: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """Return the parts of a flat tensor, each in the shape and memory format of another tensor."""
    starts = accumulate((tensor.numel() for tensor in like), initial=0)
    return [flat.as_strided(tensor.shape, tensor.stride(), start) for tensor, start in zip(like, starts)]


def arrange_all(model: nn.Module) -> None:
    """Make all changes; the parts of the flat tensor take over the memory format of the weights."""
    for change in (arrange_weights, arrange_counts, arrange_casts):
        change(model)


CHANGES: dict[str, Callable[[nn.Module], None]] = {
    "weights channels-last": arrange_weights,
    "one count of batches": arrange_counts,
    "one cast of weights": arrange_casts,
    "all three changes": arrange_all,
}


def arrange_with(
    change: Callable[[nn.Module], None], model: nn.Module, image_shape: tuple[int, int, int], device: torch.device
) -> None:
    """Arrange a network as a run does, and change it."""
    arrange(model, image_shape, device)
    change(model)
