"""One SGD step, and its recording as a CUDA graph. Nothing here waits for the device."""

import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anytime_pruning.foundation.console import warn
from anytime_pruning.machine.devices import autocast
from anytime_pruning.stream.images import ImageSet
from anytime_pruning.training.sgd import MaskedSGD


class TrainingStep:
    """Gather a batch, forward, loss, backward, update, masks.

    Args:
        precision: `float32` or `bfloat16`.
        forward: what maps images to logits; the model, or a compiled form of it.
    """

    def __init__(self, forward: Callable[[Tensor], Tensor], data: ImageSet, optimizer: MaskedSGD, precision: str):
        self._forward, self._data, self._optimizer, self._precision = forward, data, optimizer, precision

    def __call__(self, *batch: Tensor) -> tuple[Tensor, Tensor]:
        """Train on one batch as `ImageSet.plan` yields them.

        Returns:
            Mean loss and number classified correctly, both 0-d on the device.
        """
        images, labels = self._data.take(*batch)
        with autocast(images.device, self._precision):
            logits = self._forward(images)
            loss = F.cross_entropy(logits, labels)
        loss.backward()
        self._optimizer.step()
        return loss.detach(), (logits.argmax(1) == labels).sum()


def compile_forward(model: nn.Module, batch_size: int) -> Callable[[Tensor], Tensor]:
    """The model by torch.compile for batches of one size; other batches, and all without a compiler, take the model."""
    needed = "triton" if next(model.parameters()).is_cuda else os.environ.get("CXX", "g++")
    if not (find_spec(needed) if needed == "triton" else shutil.which(needed)):
        warn(f"execution.compile: true needs {needed}, which is not installed; the network is not compiled")
        return model
    compiled = torch.compile(model, dynamic=False)
    return lambda images: compiled(images) if len(images) == batch_size else model(images)
