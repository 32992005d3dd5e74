"""Make the rows of a megabatch from its counts, its training and its test."""

from anytime_pruning.foundation import metrics
from anytime_pruning.results.records import Records
from anytime_pruning.results.rows import LayerRow, MegabatchRow
from anytime_pruning.runs.stream_plan import PlannedMegabatch
from anytime_pruning.training.evaluation import Evaluation
from anytime_pruning.training.progress import MegabatchProgress, MegabatchTraining


def record_megabatch(
    records: Records,
    layers: dict[str, tuple[int, int]],
    planned: PlannedMegabatch,
    training: MegabatchTraining,
    tested: Evaluation,
    progress: MegabatchProgress,
) -> MegabatchRow:
    """Append the rows of one megabatch to a run's records.

    Args:
        records: records of the run so far.
        layers: (number of weights that are not zero, number of all weights) by layer, counted in the network and not
            in the masks.
        planned: the density asked for and the indices of the images.
        training: results of training on the megabatch.
        tested: result on the test set, with the best weights.
        progress: progress on the megabatch, which holds its time.

    Returns:
        The row of megabatches.csv.
    """
    row = _make_row(layers, planned, training, tested, progress)
    positions = records.macs.positions
    layer_rows = [
        LayerRow(planned.t, layer, kept, total, positions[layer] * total) for layer, (kept, total) in layers.items()
    ]
    records.append(row, training.epochs, layer_rows)
    return row


def _make_row(
    layers: dict[str, tuple[int, int]],
    planned: PlannedMegabatch,
    training: MegabatchTraining,
    tested: Evaluation,
    progress: MegabatchProgress,
) -> MegabatchRow:
    kept_count = sum(kept for kept, _ in layers.values())
    prunable_count = sum(total for _, total in layers.values())
    evaluations = training.evaluations
    train_clean, valid_clean = evaluations.train_clean.acc_pct, evaluations.valid_clean.acc_pct
    # Without an epoch, there is no running accuracy of training.
    running = training.epochs[-1].train_acc_running_pct if training.epochs else train_clean
    augmented = evaluations.valid_augmented.acc_pct
    return MegabatchRow(
        t=planned.t,
        density_asked=planned.density,
        density_measured=kept_count / prunable_count,
        kept_count=kept_count,
        prunable_count=prunable_count,
        train_count=len(planned.train),
        valid_count=len(planned.valid),
        best_epoch=training.best_epoch,
        train_acc_running_pct=running,
        valid_acc_augmented_pct=augmented,
        generalization_gap_pct=metrics.generalization_gap_pct(running, augmented),
        train_acc_pct=train_clean,
        valid_acc_pct=valid_clean,
        clean_gap_pct=metrics.generalization_gap_pct(train_clean, valid_clean),
        test_acc_pct=tested.acc_pct,
        error_count=tested.error_count,
        test_count=tested.total_count,
        samples=len(planned.train) * len(training.epochs),
        seconds=round(progress.stop_watch(), 3),
        prune_seconds=round(progress.prune_seconds, 3),
        zero_score_layers=progress.zero_score_layers,
        empty_layers=sum(kept == 0 for kept, _ in layers.values()),
    )
