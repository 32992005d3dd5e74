"""What a run will cost: samples that pass through the network, known before it starts.

With full replay megabatch t trains on t of T parts of the data, so that E epochs each come to E * N * (T + 1) / 2
training samples: the cost grows with T * N.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from anytime_pruning.settings.run import RunSettings


@dataclass(frozen=True)
class PlannedCost:
    """Samples that pass through the network over the whole stream.

    Attributes:
        train: forward and backward, with an update.
        score: forward and backward, for pruning; data-free pruners do not take them.
        evaluate: forward only: validation after each epoch; validation, training set and test after each megabatch.
    """

    train: int
    score: int
    evaluate: int

    def __str__(self) -> str:
        return f"{self.train:,} training samples planned, {self.score:,} to score, {self.evaluate:,} to evaluate"


def plan_cost(settings: RunSettings, parts: Sequence[tuple[int, int, int]], test_count: int) -> PlannedCost:
    """Cost of a run before it starts.

    Args:
        parts: at each megabatch, training and validation images of the replay-inclusive set, and those to score on.
        test_count: images of the test set.
    """
    densities = settings.densities()
    pruned = [density < before for before, density in zip([1.0, *densities], densities)]
    return PlannedCost(
        train=sum(settings.epochs * train for train, _, _ in parts),
        score=sum(sample for (_, _, sample), now in zip(parts, pruned) if now),
        evaluate=sum((settings.epochs + 1) * valid + train + test_count for train, valid, _ in parts),
    )
