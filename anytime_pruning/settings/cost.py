"""Counts the samples that a run will pass through the network, before the run starts.

With full replay megabatch t trains on t of T parts of the data. With E epochs on each megabatch and N images this
comes to E * N * (T + 1) / 2 training samples, so the cost grows with T * N.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class PlannedCost:
    """Counts the samples that pass through the network over the whole stream.

    Attributes:
        train: samples of forward and backward passes with an update.
        score: samples of forward and backward passes that score weights; data-free pruners do not use them.
        evaluate: samples of forward passes: the validation set after each epoch, and the validation, training and test
            sets after each megabatch.
    """

    train: int
    score: int
    evaluate: int

    def __str__(self) -> str:
        return f"{self.train:,} training samples planned, {self.score:,} to score, {self.evaluate:,} to evaluate"


def plan_cost(
    epochs: int, densities: Sequence[float], parts: Sequence[tuple[int, int, int]], test_count: int
) -> PlannedCost:
    """Count the samples of a run before it starts.

    Args:
        epochs: epochs on each megabatch.
        densities: density asked for at each of the T megabatches; weights are scored where the density falls.
        parts: for each megabatch the training and the validation images of the replay-inclusive set, and the images
            to score on.
        test_count: images of the test set.

    Returns:
        The samples to train on, to score on and to evaluate on.
    """
    falls = [density < before for before, density in zip([1.0, *densities], densities)]
    return PlannedCost(
        train=sum(epochs * train for train, _, _ in parts),
        score=sum(sample for (_, _, sample), is_pruned in zip(parts, falls) if is_pruned),
        evaluate=sum((epochs + 1) * valid + train + test_count for train, valid, _ in parts),
    )
