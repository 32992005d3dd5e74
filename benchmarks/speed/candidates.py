"""Change a network so that a recorded step launches less, to measure whether this pays; no run does any of it.

On a CPU both changes leave the numbers as they are. Neither has been tried on a GPU yet. The stage that measures them
is called by its name and is no part of a day:

    python -m benchmarks.gpu_day.stages candidates cuda resnet50 5 1
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from anytime_pruning.machine.kernels.memory_format import arrange

COUNT = "num_batches_tracked"


def arrange_weights(model: nn.Module, image_shape: tuple[int, int, int], device: torch.device) -> None:
    """Arrange a network as a run does, and its weights like its maps, so that no step has to reorder gradients."""
    arrange(model, image_shape, device)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)


def arrange_counts(model: nn.Module, image_shape: tuple[int, int, int], device: torch.device) -> None:
    """Arrange a network as a run does, and count the batches of all its batch norms by one addition."""
    arrange(model, image_shape, device)
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


CANDIDATES = {"weights channels-last": arrange_weights, "one count of batches": arrange_counts}
