"""Define the rows of a run's three tables: megabatches.csv, epochs.csv and layers.csv."""

from dataclasses import dataclass

from anytime_pruning.results import layout


@dataclass(frozen=True)
class MegabatchRow:
    """Hold one row of megabatches.csv. The README explains the columns.

    `train_acc_running_pct` and `valid_acc_augmented_pct` are the two terms of the generalization gap as the released
    code measures it: the running mean over the last epoch's training, and validation on augmented images. The other
    accuracies are measured in eval mode without augmentation: those on the training and validation set with the last
    epoch's weights, the test accuracy after the best epoch's weights were restored.
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
class EpochRow:
    """Hold one row of epochs.csv.

    `train_*` are running means over the epoch: in train mode, on augmented images, while the weights change. `valid_*`
    select the best epoch; they are measured in eval mode, on augmented images only where the protocol selects on them.
    `lr` is the learning rate of the epoch's last step. `seconds` counts the training pass alone.
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
    """Hold one row of layers.csv: the weights of a prunable layer after training on megabatch t.

    `kept` counts the weights that are not zero. `macs` are the multiply-accumulates of all `total` weights for one
    image; the kept weights take their share of them.
    """

    t: int
    layer: str
    kept: int
    total: int
    macs: int


# The tables of a run and the kind of their rows.
TABLES: dict[str, type[MegabatchRow] | type[EpochRow] | type[LayerRow]] = {
    layout.MEGABATCHES: MegabatchRow,
    layout.EPOCHS: EpochRow,
    layout.LAYERS: LayerRow,
}
