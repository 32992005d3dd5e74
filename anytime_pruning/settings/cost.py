"""Count the samples that a run will pass through the network, before the run starts.

With full replay, training on megabatch t uses t of T equal parts of the data. With E epochs on each megabatch and N
images, these are E * N * (T + 1) / 2 training samples in total, so the cost grows with T * N.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class PlannedCost:
    """Holds the numbers of samples that pass through the network over the whole stream.

    Attributes:
        train: samples of forward and backward passes that are followed by an update.
        score: samples of forward and backward passes that score weights; data-free pruners do not read these samples.
        evaluate: samples of forward passes alone. The validation set is evaluated after each epoch; the validation,
            training and test sets are evaluated after each megabatch.
    """

    train: int
    score: int
    evaluate: int

    def __str__(self) -> str:
        return f"{self.train:,} training samples planned, {self.score:,} to score, {self.evaluate:,} to evaluate"


def plan_cost(
    epochs: int, prunes_at: Sequence[bool], parts: Sequence[tuple[int, int, int]], test_count: int
) -> PlannedCost:
    """Count the samples of a run before it starts.

    Args:
        epochs: epochs on each megabatch.
        prunes_at: for each megabatch whether weights are scored.
        parts: for each megabatch the numbers of training and of validation images in the replay-inclusive set, and the
            number of images to score on.
        test_count: number of images in the test set.

    Returns:
        The numbers of samples to train on, to score on and to evaluate.
    """
    return PlannedCost(
        train=sum(epochs * train for train, _, _ in parts),
        score=sum(sample for (_, _, sample), is_pruned in zip(parts, prunes_at) if is_pruned),
        evaluate=sum((epochs + 1) * valid + train + test_count for train, valid, _ in parts),
    )
