"""Run one SGD step without waiting for the device."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.errors import first_line
from anytime_pruning.machine.caches import keep_caches_outside
from anytime_pruning.machine.devices import searching_kernels
from anytime_pruning.machine.kernels.bfloat16 import autocast
from anytime_pruning.machine.memory import is_out_of_memory
from anytime_pruning.machine.preservation import preserved
from anytime_pruning.stream.images import ImageSet
from anytime_pruning.training.compilers import missing_for_compiling
from anytime_pruning.training.sgd import MaskedSGD


class TrainingStep:
    """Gathers a batch, runs forward, loss and backward, updates the parameters and enforces the masks.

    Args:
        forward: maps images [B, C, H, W] to logits [B, n_classes]: the model itself or its compiled form.
        data: the set from which batches are gathered.
        optimizer: updates the parameters and enforces the masks.
        precision: `float32` or `bfloat16`.
        batch_size: size of a full batch, for which the search for fast kernels pays.
    """

    def __init__(
        self,
        forward: Callable[[Tensor], Tensor],
        data: ImageSet,
        optimizer: MaskedSGD,
        precision: str,
        batch_size: int,
    ):
        self._forward, self._data, self._optimizer = forward, data, optimizer
        self._precision, self._batch_size = precision, batch_size

    def __call__(self, *batch: Tensor) -> tuple[Tensor, Tensor]:
        """Train on one batch as `ImageSet.plan` yields it.

        Returns:
            The mean loss and the number of samples classified correctly, both as 0-d tensors on the device.
        """
        # A step that failed, or a recording that was given up, may have left gradients, and new ones would be added.
        self._optimizer.drop_gradients()
        images, labels = self._data.take(*batch)
        with searching_kernels(len(labels) == self._batch_size):
            with autocast(images.device, self._precision):
                logits = self._forward(images)
                loss = F.cross_entropy(logits, labels)
            torch.autograd.backward(loss)
        self._optimizer.step()
        return loss.detach(), (logits.argmax(1) == labels).sum()


def compile_forward(model: nn.Module, batch_size: int) -> Callable[[Tensor], Tensor]:
    """Compile a model with torch.compile for batches of one size.

    Batches of other sizes use the model without compilation. All batches do on a machine without a compiler, or if the
    compiled model fails for the first batch, forward or backward; one warning says so. Only a lack of memory is an
    error.
    """
    missing = missing_for_compiling(next(model.parameters()).device)
    if missing:
        warn(f"execution.compile: true needs {missing}, which is not installed; the network is not compiled")
        return model
    keep_caches_outside()
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
            if is_out_of_memory(error):
                raise
            warn(f"execution.compile: torch.compile fails, and the network is not compiled ({first_line(error)})")
            self._compiled = self._model
