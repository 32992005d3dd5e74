"""Start a megabatch with weights that are shrunk unless the images to train on would make them grow."""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn

from anytime_pruning.foundation.registry import register
from anytime_pruning.machine.devices import searching_for_full
from anytime_pruning.machine.kernels.bfloat16 import autocast
from anytime_pruning.machine.preservation import preserved
from anytime_pruning.pruning.pruners.gradients import gradients
from anytime_pruning.pruning.pruners.snip import loss_of
from anytime_pruning.runs.starts.base import StartContext
from anytime_pruning.settings.cost import DASH_BATCHES

# Share of the newest batch in the moving average of gradients.
NEWEST_SHARE = 0.3


@register("start", "dash")
def start_dash(context: StartContext) -> None:
    """Multiply weights by the cosine between them and the negative gradient, but at least by `shrink`.

    A convolution has one cosine for each pair of an input and an output channel, a linear layer one for each output,
    and a bias vector one. Other parameters, such as those of batch norm, stay as they are. The gradient is a moving
    average over batches of the images that the megabatch trains on, in random order and without augmentation. Pruned
    weights count neither in the weights nor in the gradient.

    Source: Shin, Oh, Cho, Yun, "DASH: Warm-Starting Neural Network Training in Stationary Settings without Loss of
    Plasticity" (arXiv 2410.23495).
    """
    model = context.trainer.model
    named = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    chosen = {name: named[name] for name in _weights_and_biases(model) if name in named}
    directions = _negative_gradients(context, list(chosen.values()))
    with torch.no_grad():
        for (name, parameter), direction in zip(chosen.items(), directions):
            if name in context.masks:
                direction = direction * context.masks[name]
            parameter.mul_(_cosines(parameter, direction).clamp(context.settings.shrink, 1))


def _weights_and_biases(model: nn.Module) -> Iterator[str]:
    for where, module in model.named_modules():
        if isinstance(module, nn.modules.conv._ConvNd | nn.Linear):
            yield from (f"{where}.{name}" for name, _ in module.named_parameters(recurse=False))


def _negative_gradients(context: StartContext, parameters: list[nn.Parameter]) -> list[Tensor]:
    """Return the moving average of the negative gradients, in the parameters' order; the network does not change."""
    trainer, options = context.trainer, context.trainer.options
    model, data = trainer.model, trainer.data
    order = context.train[torch.randperm(len(context.train), generator=context.generator)]
    batches = data.batches(order[: DASH_BATCHES * options.batch_size], options.batch_size)
    averages = [torch.zeros_like(parameter) for parameter in parameters]
    with preserved(model), autocast(data.images.device, options.precision):
        model.train()
        for images, labels in searching_for_full(batches, options.batch_size):
            found = gradients(partial(loss_of, model, images, labels), parameters)
            torch._foreach_mul_(averages, 1 - NEWEST_SHARE)
            torch._foreach_add_(averages, list(found), alpha=-NEWEST_SHARE)
    return averages


def _cosines(parameter: Tensor, direction: Tensor) -> Tensor:
    """Return cosines in a shape that can multiply the parameter; a pair with a vector of zeros has the cosine 0."""
    n_kept = {1: 0, 2: 1}.get(parameter.dim(), 2)
    shape = (*parameter.shape[:n_kept], *[1] * (parameter.dim() - n_kept))
    first, second = (tensor.reshape(*parameter.shape[:n_kept], -1) for tensor in (parameter, direction))
    return torch.cosine_similarity(first, second, dim=-1).reshape(shape)
