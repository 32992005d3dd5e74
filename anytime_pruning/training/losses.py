"""Average losses, and stop a run whose loss is no longer a number."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from anytime_pruning.foundation.errors import DivergenceError


def check_finite(loss: float, where: str) -> None:
    """Stop a run whose loss is no longer a number.

    Args:
        loss: mean loss of a step or an evaluation.
        where: megabatch, epoch and step, for the message.

    Raises:
        DivergenceError: the loss is NaN or infinite.
    """
    if not math.isfinite(loss):
        raise DivergenceError(f"the loss is {loss} at {where}; no results were written; a lower lr may help")


def mean_loss(losses: Tensor, sizes: Sequence[int]) -> float:
    """Return the mean over samples from means over batches; the last batch may have another size.

    Args:
        losses: float32 [n_batches], mean loss of each batch.
        sizes: number of samples of each batch.
    """
    return float((losses.double() * torch.tensor(sizes)).sum() / sum(sizes))


def check_steps_finite(losses: Tensor, t: int, epoch: int) -> None:
    """Stop a run at the first step of an epoch whose loss is no longer a number.

    Args:
        losses: float32 [n_steps], mean loss of each step.
        t: index of the megabatch, for the message.
        epoch: number of the epoch, for the message.

    Raises:
        DivergenceError: names the megabatch, the epoch and the step.
    """
    broken = (~torch.isfinite(losses)).nonzero()
    if len(broken):
        step = int(broken[0])
        check_finite(float(losses[step]), f"megabatch {t}, epoch {epoch}, step {step + 1} of {len(losses)}")
