"""Count the samples that a run will pass through the network, before the run starts.

With full replay, training on megabatch t uses t of T equal parts of the data. With E epochs on each megabatch and N
images, these are E * N * (T + 1) / 2 training samples in total, so the cost grows with T * N.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from anytime_pruning.settings.run import RunSettings

# The start `dash` averages gradients over so many batches at most. Earlier batches would count for less than a float32
# can tell: 0.7 ** 50 is 2e-8.
DASH_BATCHES = 50


@dataclass(frozen=True)
class PlannedCost:
    """Holds the numbers of samples that pass through the network over the whole stream.

    Attributes:
        train: samples of forward and backward passes that are followed by an update.
        score: samples of forward and backward passes that score weights, or tell the start `dash` a direction;
            data-free pruners do not read these samples.
        evaluate: samples of forward passes alone. The validation set is evaluated after each epoch; the validation,
            training and test sets are evaluated after each megabatch.
    """

    train: int
    score: int
    evaluate: int

    def __str__(self) -> str:
        return f"{self.train:,} training samples planned, {self.score:,} to score, {self.evaluate:,} to evaluate"


def plan_cost(settings: RunSettings, parts: Sequence[tuple[int, int, int]], test_count: int) -> PlannedCost:
    """Count the samples of a run before it starts.

    Args:
        settings: settings of the run.
        parts: for each megabatch the numbers of training and of validation images in the replay-inclusive set, and the
            number of images to score on.
        test_count: number of images in the test set.

    Returns:
        The numbers of samples to train on, to score on and to evaluate.
    """
    epochs = settings.epochs_at()
    trained = [train for n_epochs, (train, _, _) in zip(epochs, parts) if n_epochs]
    read_at_a_start = settings.batch_size * DASH_BATCHES if settings.start == "dash" else 0
    return PlannedCost(
        train=sum(n_epochs * train for n_epochs, (train, _, _) in zip(epochs, parts)),
        score=sum(sample for (_, _, sample), is_pruned in zip(parts, settings.prunes_at()) if is_pruned)
        + sum(min(train, read_at_a_start) for train in trained[1:]),
        # Without an epoch, the network is validated twice, clean and augmented, as after the last of several epochs.
        evaluate=sum(
            (max(n_epochs, 1) + 1) * valid + train + test_count for n_epochs, (train, valid, _) in zip(epochs, parts)
        ),
    )
