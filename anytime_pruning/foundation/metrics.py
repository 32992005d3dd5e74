"""Compute accuracies, cumulative errors and gaps from counts; every reported number comes from these functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np


def accuracy_pct(correct_count: int, total_count: int) -> float:
    """Return the share of correctly classified samples, in percent."""
    return 100.0 * correct_count / total_count


def averaged_accuracy_pct(correct_counts: Sequence[int], sizes: Sequence[int]) -> float:
    """Return an accuracy in percent as the published code averages it: float32 percentages, weighted by batch size.

    Equal numbers of correct predictions may give different averages, because each percentage is rounded.

    Args:
        correct_counts: number of correctly classified samples of each batch.
        sizes: number of samples of each batch.
    """
    total = 0.0
    for correct, size in zip(correct_counts, sizes, strict=True):
        total += float(np.float32(correct) * np.float32(100.0 / size)) * size
    return total / sum(sizes)


def cumulative_error_count(error_counts: Sequence[int]) -> int:
    """Return CER as the paper counts it: misclassified test samples summed over the megabatches, at most T * N_test."""
    return int(sum(error_counts))


def cumulative_error_rate(error_counts: Sequence[int], test_count: int) -> float:
    """Return CER as a rate in [0, 1]: the count divided by T * N_test.

    Args:
        error_counts: misclassified test samples after each of the T megabatches.
        test_count: N_test, the number of test samples.
    """
    return cumulative_error_count(error_counts) / (len(error_counts) * test_count)


def generalization_gap_pct(train_acc_pct: float, valid_acc_pct: float) -> float:
    """Return training accuracy minus validation accuracy, in percentage points; callers say how they measured both."""
    return train_acc_pct - valid_acc_pct


def anytime_relative_errors(error_counts: Sequence[int], test_count: int) -> list[float]:
    """Return how much each megabatch changed the test error.

    Args:
        error_counts: misclassified test samples after each of the T megabatches.
        test_count: N_test, the number of test samples.

    Returns:
        (error_count_t - error_count_{t-1}) / N_test for t = 2 ... T.
    """
    return [(now - before) / test_count for before, now in pairwise(error_counts)]


def count_weights(n_prunable: int, density: float) -> int:
    """Return how many of `n_prunable` weights a density in [0, 1] keeps: the nearest number, or the even one of two."""
    return round(density * n_prunable)


def chance_zeros(prunable_count: int) -> int:
    """Return how many kept weights may be exactly zero by chance, because a floating point sum occasionally is."""
    return 1 + prunable_count // 1_000_000


# Training on a sample costs as much as three evaluations: the forward pass, the gradient of the maps and that of
# the weights.
TRAINING_PASSES = 3


@dataclass(frozen=True)
class MacCount:
    """Holds the multiply-accumulates of a network for one image; each of them is two floating point operations.

    Attributes:
        positions: for each prunable weight by name, how often one image uses each number of the weight; this equals the
            number of output pixels of the layer.
        fixed: multiply-accumulates of the layers that are not pruned, such as the classifier.
    """

    positions: dict[str, int]
    fixed: int

    def total(self, counts: Mapping[str, int]) -> int:
        """Return the multiply-accumulates of a pruned network.

        Args:
            counts: number of kept weights by name.
        """
        return self.fixed + sum(self.positions[name] * count for name, count in counts.items())
