"""Define the rows of a run's three tables: megabatches.csv, epochs.csv and layers.csv."""

from dataclasses import dataclass

from anytime_pruning.results import layout


@dataclass(frozen=True)
class MegabatchRow:
    """Holds one row of megabatches.csv; the README explains the columns.

    The released code measures the generalization gap as `train_acc_running_pct`, the running mean over the last epoch's
    training, minus `valid_acc_augmented_pct`, the accuracy on augmented validation images. The other accuracies are
    measured in eval mode without augmentation. Those on the training and validation set belong to the last epoch's
    weights, and the test accuracy belongs to the best epoch's weights. `zero_score_layers` counts the layers that had
    weights and whose scores were all zero at the pruning; `empty_layers` counts the layers without a weight. Both are
    None in runs of earlier code, whose files lack the two columns.
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
    zero_score_layers: int | None = None
    empty_layers: int | None = None


@dataclass(frozen=True)
class EpochRow:
    """Holds one row of epochs.csv.

    `train_*` are running means over the epoch, measured in train mode on augmented images while the weights change.
    `valid_*` select the best epoch. They are measured in eval mode, and on augmented images only if the protocol says
    so. `lr` is the learning rate of the epoch's last step. `seconds` is the time of the training pass alone.
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
    """Holds one row of layers.csv: the weights of a prunable layer after training on megabatch t.

    `kept` counts the weights that are not zero. `macs` are the multiply-accumulates of all `total` weights for one
    image; those of the kept weights are the share `kept / total`.
    """

    t: int
    layer: str
    kept: int
    total: int
    macs: int


# Files of earlier runs lack these columns.
NEWER_COLUMNS = ("zero_score_layers", "empty_layers")
# The keys are the names of a run's tables, and the values are the classes of their rows.
TABLES: dict[str, type[MegabatchRow] | type[EpochRow] | type[LayerRow]] = {
    layout.MEGABATCHES: MegabatchRow,
    layout.EPOCHS: EpochRow,
    layout.LAYERS: LayerRow,
}
