"""Count how many samples a network classifies correctly, in eval mode."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from anytime_pruning.foundation.metrics import accuracy_pct, averaged_accuracy_pct
from anytime_pruning.machine.devices import searching_for_full
from anytime_pruning.machine.kernels.bfloat16 import autocast
from anytime_pruning.machine.memory import working_on
from anytime_pruning.stream.images import ImageSet

# On a CPU, larger batches are not faster, and with batches of 100 ResNet-50 needs less than 2 GB. A GPU is faster with
# larger batches, as long as its memory holds them; its number is for images of up to 32 x 32 pixels.
EVALUATION_BATCH = {"cpu": 100, "cuda": 1000}
EVALUATION_PIXELS = 32 * 32


@dataclass(frozen=True)
class Evaluation:
    """Holds the counts and the mean cross-entropy of one pass over a set of samples.

    Attributes:
        correct_count: number of samples classified correctly.
        total_count: number of samples.
        loss: mean cross-entropy over the samples.
        averaged_acc_pct: the accuracy in percent as a mean of float32 percentages of batches; it differs from `acc_pct`
            by rounding.
    """

    correct_count: int
    total_count: int
    loss: float
    averaged_acc_pct: float

    @property
    def error_count(self) -> int:
        """Return the number of misclassified samples."""
        return self.total_count - self.correct_count

    @property
    def acc_pct(self) -> float:
        """Return the accuracy in percent."""
        return accuracy_pct(self.correct_count, self.total_count)


def evaluation_batch(device: torch.device, height: int, width: int) -> int:
    """Return the number of images that are evaluated at once: on a GPU, the larger the images, the fewer.

    A batch on a GPU then needs about as much memory for large images as for small ones. No batch has fewer than two
    images, because networks are tried out on two. On a CPU the number stays the same, and with it the rounding of
    results.
    """
    most = EVALUATION_BATCH[device.type]
    if device.type == "cpu":
        return most
    return max(2, min(most, most * EVALUATION_PIXELS // (height * width)))


@working_on("evaluation")
@torch.no_grad()
def evaluate(
    model: nn.Module,
    data: ImageSet,
    indices: Tensor,
    precision: str = "float32",
    augment_with: Generator | None = None,
    batch_size: int | None = None,
) -> Evaluation:
    """Classify samples in eval mode and count the correct predictions.

    Gradients are off, but inference mode is not on: a network may keep a tensor that its forward pass makes, such as a
    table of positions, and training refuses tensors that were made in inference mode.

    Args:
        model: maps images [B, C, H, W] in [0, 1] to logits [B, n_classes].
        data: the images and labels, on the model's device.
        indices: int64 [n], indices of the samples in the data.
        precision: `float32`, or `bfloat16` for autocast.
        augment_with: a generator for augmenting images as in training, which the released code does in validation; None
            leaves images as they are.
        batch_size: samples of a batch, with a single remaining sample as a batch of its own; None means a size that
            is fast on the device and fits images of this size.

    Returns:
        The counts and the mean loss, read from the device once at the end.
    """
    model.eval()
    device = data.images.device
    size = batch_size or evaluation_batch(device, *data.images.shape[-2:])
    batches = searching_for_full(data.batches(indices, size, augment_with, batch_size is not None), size)
    correct: list[Tensor] = []
    sizes: list[int] = []
    loss = torch.zeros((), dtype=torch.float64, device=device)
    for images, labels in batches:
        with autocast(device, precision):
            logits = model(images)
        loss += F.cross_entropy(logits.float(), labels, reduction="sum")
        correct.append((logits.argmax(1) == labels).sum())
        sizes.append(len(labels))
    counts = torch.stack(correct).tolist()
    return Evaluation(sum(counts), len(indices), float(loss) / len(indices), averaged_accuracy_pct(counts, sizes))
