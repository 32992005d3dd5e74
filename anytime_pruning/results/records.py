"""Collect the rows of a run while it is computed, and derive the run's final numbers from the rows.

`store.py` writes the rows and the numbers to disk.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import fsum

from anytime_pruning.foundation import metrics
from anytime_pruning.foundation.metrics import MacCount
from anytime_pruning.results.metrics_file import FinalNumbers, PlannedSamples, RunCost
from anytime_pruning.results.rows import EpochRow, LayerRow, MegabatchRow
from anytime_pruning.settings.cost import PlannedCost


@dataclass
class Records:
    """Holds the rows of a run.

    Attributes:
        planned: planned numbers of samples that pass through the network in the whole run.
        macs: multiply-accumulates for one image, by layer.
        megabatches, epochs, layers: rows of the megabatches finished so far.
    """

    planned: PlannedCost
    macs: MacCount
    megabatches: list[MegabatchRow] = field(default_factory=list)
    epochs: list[EpochRow] = field(default_factory=list)
    layers: list[LayerRow] = field(default_factory=list)

    def append(self, megabatch: MegabatchRow, epochs: Sequence[EpochRow], layers: Sequence[LayerRow]) -> None:
        """Append the rows of one megabatch."""
        self.megabatches.append(megabatch)
        self.epochs += epochs
        self.layers += layers

    def final_numbers(self) -> FinalNumbers:
        """Return the numbers that tables show: results of the last megabatch, and numbers over the whole stream."""
        last = self.megabatches[-1]
        errors = [row.error_count for row in self.megabatches]
        layers = [row for row in self.layers if row.t == last.t]
        zero_scores = [row.zero_score_layers for row in self.megabatches]
        return FinalNumbers(
            test_acc_pct=last.test_acc_pct,
            cumulative_error_count=metrics.cumulative_error_count(errors),
            cumulative_error_rate=metrics.cumulative_error_rate(errors, last.test_count),
            anytime_relative_errors=metrics.anytime_relative_errors(errors, last.test_count),
            generalization_gap_pct=last.generalization_gap_pct,
            clean_gap_pct=last.clean_gap_pct,
            density=last.density_measured,
            kept_count=last.kept_count,
            prunable_count=last.prunable_count,
            macs_kept=self.macs.total({row.layer: row.kept for row in layers}),
            macs_count=self.macs.total({row.layer: row.total for row in layers}),
            samples=sum(row.samples for row in self.megabatches),
            zero_score_layers=None if None in zero_scores else max(filter(None, zero_scores), default=0),
            empty_layers=last.empty_layers,
        )

    def cost(self) -> RunCost:
        """Return the planned samples and the measured seconds; the speed counts only training passes."""
        samples, train_s = sum(epoch.samples for epoch in self.epochs), fsum(epoch.seconds for epoch in self.epochs)
        return RunCost(
            planned_samples=PlannedSamples(**asdict(self.planned)),
            stream_s=round(fsum(row.seconds for row in self.megabatches), 3),
            prune_s=round(fsum(row.prune_seconds for row in self.megabatches), 3),
            train_s=round(train_s, 3),
            train_samples_per_s=round(samples / max(train_s, 1e-3), 1),
        )
