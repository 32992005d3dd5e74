"""Score weights by SNIP, which keeps the weights whose removal would change the loss most."""

from collections.abc import Iterable
from functools import partial

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.pruning.pruners.gradients import gradients, logits_of


@register("pruner", "snip")
def score_snip(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], generator: Generator) -> dict[str, Tensor]:
    """Score each weight w by |sum over batches of dL/dm|, where m multiplies w: |w * sum dL/dw|.

    The absolute value is taken last. L is the cross-entropy, a mean over each batch. Batch norm is in train mode and
    uses the statistics of each batch.

    Source: Lee, Ajanthan, Torr, "SNIP: Single-shot Network Pruning based on Connection Sensitivity" (arXiv 1810.02340).
    Deviation: the scores are not divided by their sum, which changes no ranking.
    """
    weights = prunable_weights(model)
    total = [torch.zeros_like(weight) for weight in weights.values()]
    model.train()
    for images, labels in batches:
        # A layer that the forward pass does not use has no gradient, so its scores are zero.
        parts = gradients(partial(loss_of, model, images, labels), list(weights.values()))
        torch._foreach_add_(total, list(parts))
    return {name: (weight.detach() * gradient).abs() for (name, weight), gradient in zip(weights.items(), total)}


def loss_of(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return L, the mean cross-entropy over a batch of images [B, C, H, W] and labels int64 [B]."""
    return F.cross_entropy(logits_of(model, images), labels)
