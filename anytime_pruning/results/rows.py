"""Define the rows of a run's three tables: megabatches.csv, epochs.csv and layers.csv."""

from dataclasses import dataclass

from anytime_pruning.results import layout


@dataclass(frozen=True)
class MegabatchRow:
    """Holds one row of megabatches.csv: the state of a network after one megabatch.

    Accuracies are in percent, and gaps in percentage points. The released code measures the generalization gap as
    `generalization_gap_pct`.

    Attributes:
        t: the megabatch, from 1.
        density_asked: the density that the schedule asks for.
        density_measured: share of the prunable weights that are not zero in the network.
        kept_count: number of prunable weights that are not zero.
        prunable_count: number of prunable weights.
        train_count: training images of the replay-inclusive set.
        valid_count: validation images of the replay-inclusive set.
        best_epoch: the epoch whose weights were best on the validation images and are tested.
        train_acc_running_pct: mean over the last epoch's training steps, in train mode and on augmented images.
        valid_acc_augmented_pct: accuracy on augmented validation images, with the last epoch's weights.
        generalization_gap_pct: `train_acc_running_pct` minus `valid_acc_augmented_pct`.
        train_acc_pct: accuracy on the training images as they are, in eval mode, with the last epoch's weights.
        valid_acc_pct: accuracy on the validation images as they are, in eval mode, with the last epoch's weights.
        clean_gap_pct: `train_acc_pct` minus `valid_acc_pct`.
        test_acc_pct: accuracy on the test images, with the best epoch's weights.
        error_count: misclassified test images.
        test_count: test images.
        samples: images trained on, as often as they were used.
        seconds: seconds for this megabatch.
        prune_seconds: the part of `seconds` for scoring and pruning.
        zero_score_layers: layers that had weights and whose scores were all zero at the pruning; None in runs of
            earlier code, whose files lack the column.
        empty_layers: prunable layers without a weight; None in runs of earlier code.
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
    """Holds one row of epochs.csv: one pass over the training images of a megabatch.

    Attributes:
        t: the megabatch, from 1.
        epoch: the epoch, from 1.
        lr: learning rate of the epoch's last step.
        samples: images trained on in this epoch.
        train_loss: mean over the epoch's steps, in train mode and on augmented images while the weights change.
        train_acc_running_pct: accuracy over the same steps, in percent.
        valid_loss: loss on the validation images, in eval mode; on augmented images only if the protocol says so.
        valid_acc_pct: accuracy on the same images, in percent; the highest one selects the best epoch.
        seconds: seconds of the training pass alone.
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
    """Holds one row of layers.csv: the weights of a prunable layer after one megabatch.

    Attributes:
        t: the megabatch, from 1.
        layer: name of the layer's weight in the network.
        kept: weights that are not zero.
        total: all weights of the layer.
        macs: multiply-accumulates of all `total` weights for one image; the kept weights take the share `kept / total`.
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
