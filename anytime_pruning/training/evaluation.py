"""Counts how many samples a network classifies correctly, in eval mode."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from anytime_pruning.foundation.metrics import accuracy_pct
from anytime_pruning.machine.devices import autocast
from anytime_pruning.stream.images import ImageSet

# Larger batches are no faster on a CPU, and with these ResNet-50 stays within 2 GB. A GPU wants more at a time.
EVALUATION_BATCH = {"cpu": 100, "cuda": 1000}


@dataclass(frozen=True)
class Evaluation:
    """Holds the counts of one pass over a set, and the mean cross-entropy."""

    correct_count: int
    total_count: int
    loss: float

    @property
    def error_count(self) -> int:
        """Number of misclassified samples."""
        return self.total_count - self.correct_count

    @property
    def acc_pct(self) -> float:
        """Accuracy in percent."""
        return accuracy_pct(self.correct_count, self.total_count)


@torch.inference_mode()
def evaluate(
    model: nn.Module, data: ImageSet, indices: Tensor, precision: str = "float32", augment_with: Generator | None = None
) -> Evaluation:
    """Classify some samples in eval mode.

    Args:
        model: maps images [B, C, H, W] in [0, 1] to logits [B, n_classes].
        data: holds the samples, on the model's device.
        indices: int64 [n] into the data.
        precision: `float32`, or `bfloat16` for autocast.
        augment_with: a generator, if images are to be augmented as in training; the released code validates that way.

    Returns:
        Counts and mean loss, read from the device once, at the end.
    """
    model.eval()
    device = data.images.device
    correct = torch.zeros((), dtype=torch.int64, device=device)
    loss = torch.zeros((), dtype=torch.float64, device=device)
    for images, labels in data.batches(indices, EVALUATION_BATCH[device.type], augment_with):
        with autocast(device, precision):
            logits = model(images)
        loss += F.cross_entropy(logits.float(), labels, reduction="sum")
        correct += (logits.argmax(1) == labels).sum()
    return Evaluation(int(correct), len(indices), float(loss) / len(indices))
