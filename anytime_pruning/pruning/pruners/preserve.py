"""Protect a network from changes while its weights are scored."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def preserved(model: nn.Module) -> Iterator[None]:
    """Restore the network and the random state on leaving, so that scoring may change both freely.

    Inside this context every parameter requires a gradient, so that frozen weights can be scored as well.
    """
    modes = {name: module.training for name, module in model.named_modules()}
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    parameters = [(p, p.detach().clone(), p.grad, p.requires_grad) for p in model.parameters()]
    for parameter in model.parameters():
        parameter.grad = None
        parameter.requires_grad_(True)
    try:
        devices = {parameter.device for parameter in model.parameters() if parameter.is_cuda}
        with torch.random.fork_rng(devices=devices), torch.enable_grad():
            yield
    finally:
        for name, module in model.named_modules():
            module.training = modes[name]
        with torch.no_grad():
            for name, buffer in model.named_buffers():
                buffer.copy_(buffers[name])
            for parameter, values, gradient, wants_gradient in parameters:
                parameter.copy_(values)
                parameter.grad = gradient
                parameter.requires_grad_(wants_gradient)
