"""The rows of a run, collected while it goes on. What becomes of them on disk is `storage.py`. Torch-free."""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from anytime_pruning.foundation import metrics
from anytime_pruning.foundation.metrics import MacCount
from anytime_pruning.results.rows import Epoch, LayerRow, MegabatchRow
from anytime_pruning.settings.cost import PlannedCost

if TYPE_CHECKING:
    from anytime_pruning.training.evaluation import Evaluation
    from anytime_pruning.training.progress import Position
    from anytime_pruning.training.trainer import MegabatchTraining


@dataclass
class Records:
    """The rows of a run so far, what the whole of it was planned to cost, and what one image costs."""

    planned: PlannedCost
    macs: MacCount
    megabatches: list[MegabatchRow] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
    layers: list[LayerRow] = field(default_factory=list)

    def add(
        self,
        layers: dict[str, tuple[int, int]],
        density: float,
        valid_count: int,
        training: "MegabatchTraining",
        tested: "Evaluation",
        position: "Position",
    ) -> MegabatchRow:
        """Append the rows of one megabatch and return the main one.

        Args:
            layers: (kept, total) by layer, counted in the network, not taken from the masks.
            density: as scheduled.
            valid_count: images of the validation part.
            position: says how long this megabatch took.
        """
        kept_count = sum(kept for kept, _ in layers.values())
        prunable_count = sum(total for _, total in layers.values())
        last = training.epochs[-1]
        self.epochs += training.epochs
        self.layers += [
            LayerRow(last.t, layer, kept, total, self.macs.positions[layer] * total)
            for layer, (kept, total) in layers.items()
        ]
        self.megabatches.append(
            MegabatchRow(
                t=last.t,
                density_asked=density,
                density_measured=kept_count / prunable_count,
                kept_count=kept_count,
                prunable_count=prunable_count,
                train_count=last.samples,
                valid_count=valid_count,
                best_epoch=training.best_epoch,
                train_acc_running_pct=last.train_acc_running_pct,
                valid_acc_augmented_pct=training.valid_augmented.acc_pct,
                generalization_gap_pct=metrics.generalization_gap_pct(
                    last.train_acc_running_pct, training.valid_augmented.acc_pct
                ),
                train_acc_pct=training.train_clean.acc_pct,
                valid_acc_pct=training.valid_clean.acc_pct,
                clean_gap_pct=metrics.generalization_gap_pct(
                    training.train_clean.acc_pct, training.valid_clean.acc_pct
                ),
                test_acc_pct=tested.acc_pct,
                error_count=tested.error_count,
                test_count=tested.total_count,
                samples=last.samples * len(training.epochs),
                seconds=round(position.stop_watch(), 3),
                prune_seconds=round(position.prune_seconds, 3),
            )
        )
        return self.megabatches[-1]

    def final_numbers(self) -> dict[str, float | int | list[float]]:
        """The numbers that tables show: of the last megabatch, and cumulative over the stream."""
        last = self.megabatches[-1]
        errors = [row.error_count for row in self.megabatches]
        layers = [row for row in self.layers if row.t == last.t]
        return {
            "test_acc_pct": last.test_acc_pct,
            "cumulative_error_count": metrics.cumulative_error_count(errors),
            "cumulative_error_rate": metrics.cumulative_error_rate(errors, last.test_count),
            "anytime_relative_errors": metrics.anytime_relative_errors(errors, last.test_count),
            "generalization_gap_pct": last.generalization_gap_pct,
            "clean_gap_pct": last.clean_gap_pct,
            "density": last.density_measured,
            "kept_count": last.kept_count,
            "prunable_count": last.prunable_count,
            "macs_kept": self.macs.total({row.layer: row.kept for row in layers}),
            "macs_count": self.macs.total({row.layer: row.total for row in layers}),
            "samples": sum(row.samples for row in self.megabatches),
        }

    def cost(self) -> dict[str, float | dict[str, int]]:
        """Samples planned and seconds measured; the speed is that of training passes alone, without evaluation."""
        samples, train_s = sum(epoch.samples for epoch in self.epochs), sum(epoch.seconds for epoch in self.epochs)
        return {
            "planned_samples": asdict(self.planned),
            "stream_s": round(sum(row.seconds for row in self.megabatches), 3),
            "prune_s": round(sum(row.prune_seconds for row in self.megabatches), 3),
            "train_s": round(train_s, 3),
            "train_samples_per_s": round(samples / max(train_s, 1e-3), 1),
        }
