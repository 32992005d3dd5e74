"""Define the rows of a run's three tables."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MegabatchRow:
    """One row of megabatches.csv; the README explains the columns.

    `*_running` and `*_augmented` are the terms of the released code's gap: the running mean over the last epoch's
    training, and validation on augmented images. The other accuracies are in eval mode on images as they are; those of
    train and valid are of the last epoch, before the best weights are restored; test is after.
    """

    t: int
    density_asked: float
    density_measured: float
    kept_count: int
    prunable_count: int
    train_count: int
    valid_count: int
    best_epoch: int
    train_acc_running_pct: float
    valid_acc_augmented_pct: float
    generalization_gap_pct: float
    train_acc_pct: float
    valid_acc_pct: float
    clean_gap_pct: float
    test_acc_pct: float
    error_count: int
    test_count: int
    samples: int
    seconds: float
    prune_seconds: float


@dataclass(frozen=True)
class Epoch:
    """One row of epochs.csv, what one epoch showed. `train_*` are running means over the epoch: train mode, augmented,
    weights changing.

    `valid_*` select the best epoch: in eval mode and not augmented, but augmented in the released protocol. `lr` is
    that of the last step. `seconds` are those of the training pass alone.
    """

    t: int
    epoch: int
    lr: float
    samples: int
    train_loss: float
    train_acc_running_pct: float
    valid_loss: float
    valid_acc_pct: float
    seconds: float


@dataclass(frozen=True)
class LayerRow:
    """One row of layers.csv: weights of a prunable layer that are not zero after training on megabatch t.

    `macs` are the multiply-accumulates of all its weights for one image; of those kept, as many as their share.
    """

    t: int
    layer: str
    kept: int
    total: int
    macs: int
