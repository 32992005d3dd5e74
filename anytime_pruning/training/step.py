"""Run one SGD step without waiting for the device."""

import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.errors import one_line
from anytime_pruning.machine.devices import autocast
from anytime_pruning.machine.preservation import preserved
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

    Batches of other sizes use the model without compilation. All batches do on a machine without a compiler, or if the
    compiled model fails for the first batch, forward or backward; one warning says so.
    """
    needed = "triton" if next(model.parameters()).is_cuda else os.environ.get("CXX", "g++")
    if not (find_spec(needed) if needed == "triton" else shutil.which(needed)):
        warn(f"execution.compile: true needs {needed}, which is not installed; the network is not compiled")
        return model
    return _CompiledForward(model, batch_size)


class _CompiledForward:
    """Calls the compiled model for batches of one size after a trial with the first of them."""

    def __init__(self, model: nn.Module, batch_size: int):
        self._model, self._batch_size = model, batch_size
        self._compiled: Callable[[Tensor], Tensor] = torch.compile(model, dynamic=False)
        self._is_tried = False

    def __call__(self, images: Tensor) -> Tensor:
        if len(images) != self._batch_size:
            return cast(Tensor, self._model(images))
        if not self._is_tried:
            self._is_tried = True
            self._try(images)
        return self._compiled(images)

    def _try(self, images: Tensor) -> None:
        """Compile for a batch, forward and backward, and change nothing; after a failure, use the model as it is."""
        try:
            with preserved(self._model):
                torch.autograd.backward(self._compiled(images).sum())
        except Exception as error:
            reason = " ".join(str(error).strip().partition("\n")[0].split()) or type(error).__name__
            warn(f"execution.compile: torch.compile fails, and the network is not compiled ({one_line(reason)})")
            self._compiled = self._model
