"""Run one SGD step without waiting for the device."""

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
    """Gathers a batch, runs forward, loss and backward, updates the parameters and enforces the masks.

    Args:
        forward: maps images [B, C, H, W] to logits [B, n_classes]: the model itself or its compiled form.
        data: the set from which batches are gathered.
        optimizer: updates the parameters and enforces the masks.
        precision: `float32` or `bfloat16`.
    """

    def __init__(self, forward: Callable[[Tensor], Tensor], data: ImageSet, optimizer: MaskedSGD, precision: str):
        self._forward, self._data, self._optimizer, self._precision = forward, data, optimizer, precision

    def __call__(self, *batch: Tensor) -> tuple[Tensor, Tensor]:
        """Train on one batch as `ImageSet.plan` yields it.

        Returns:
            The mean loss and the number of samples classified correctly, both as 0-d tensors on the device.
        """
        images, labels = self._data.take(*batch)
        with autocast(images.device, self._precision):
            logits = self._forward(images)
            loss = F.cross_entropy(logits, labels)
        torch.autograd.backward(loss)
        self._optimizer.step()
        return loss.detach(), (logits.argmax(1) == labels).sum()


def compile_forward(model: nn.Module, batch_size: int) -> Callable[[Tensor], Tensor]:
    """Compile a model with torch.compile for batches of one size.

    Batches of other sizes use the model without compilation, and so do all batches on a machine without a compiler.
    """
    needed = "triton" if next(model.parameters()).is_cuda else os.environ.get("CXX", "g++")
    if not (find_spec(needed) if needed == "triton" else shutil.which(needed)):
        warn(f"execution.compile: true needs {needed}, which is not installed; the network is not compiled")
        return model
    compiled: Callable[[Tensor], Tensor] = torch.compile(model, dynamic=False)

    def forward(images: Tensor) -> Tensor:
        logits: Tensor = compiled(images) if len(images) == batch_size else model(images)
        return logits

    return forward
