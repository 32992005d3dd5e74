"""Arithmetic on counts: accuracies, cumulative error, generalization gap. Whatever reports a number uses these."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


def accuracy_pct(correct_count: int, total_count: int) -> float:
    """Correctly classified share, in percent."""
    return 100.0 * correct_count / total_count


def cumulative_error_count(error_counts: Sequence[int]) -> int:
    """CER as the paper counts it: misclassified test samples summed over the megabatches (at most T * N_test)."""
    return int(sum(error_counts))


def cumulative_error_rate(error_counts: Sequence[int], test_count: int) -> float:
    """CER as a rate in [0, 1]: the count divided by T * N_test."""
    return cumulative_error_count(error_counts) / (len(error_counts) * test_count)


def generalization_gap_pct(train_acc_pct: float, valid_acc_pct: float) -> float:
    """Train accuracy minus validation accuracy, in percentage points; the caller says how each was measured."""
    return train_acc_pct - valid_acc_pct


def anytime_relative_errors(error_counts: Sequence[int], test_count: int) -> list[float]:
    """(error_count_t - error_count_{t-1}) / N_test for t = 2 ... T: how much each megabatch changed the test error."""
    return [(now - before) / test_count for before, now in pairwise(error_counts)]


def chance_zeros(prunable_count: int) -> int:
    """How many kept weights may be exactly zero by chance, as sums of floating point numbers are once in a while."""
    return 1 + prunable_count // 1_000_000


@dataclass(frozen=True)
class MacCount:
    """Multiply-accumulates for one image; floating point operations are about twice as many.

    Attributes:
        positions: by prunable weight, how often each of its numbers is used for one image: the layer's output pixels.
        linear: of the linear layers, which are not pruned.
    """

    positions: dict[str, int]
    linear: int

    def total(self, counts: dict[str, int]) -> int:
        """Of all linear layers, and of the convolutions with so many weights by name."""
        return self.linear + sum(self.positions[name] * count for name, count in counts.items())
