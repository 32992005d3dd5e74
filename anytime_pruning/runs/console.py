"""Show the progress of a run: a progress bar on a terminal, plain lines in a log."""

import sys
from types import TracebackType
from typing import Self

from tqdm import tqdm

from anytime_pruning.results.rows import EpochRow, MegabatchRow
from anytime_pruning.runs.checkpointing.state import RunState
from anytime_pruning.settings.cost import PlannedCost


class Console:
    """Counts the training samples of a whole stream and prints one line for each megabatch.

    Args:
        name: a short description of the run.
        cost: samples of the whole stream, by purpose.
        n_megabatches: T, the length of the stream.
        prunable_share: number of prunable weights divided by the number of all parameters.
    """

    def __init__(self, name: str, cost: PlannedCost, n_megabatches: int, prunable_share: float):
        self._n_megabatches = n_megabatches
        self._bar = tqdm(
            total=cost.train, desc=name, unit="img", unit_scale=True, disable=not sys.stderr.isatty(), leave=False
        )
        self._say(f"{name}: {n_megabatches} megabatch{'es' if n_megabatches > 1 else ''}, {cost}")
        self._say(f"{100 * prunable_share:.1f} % of all parameters can be pruned")

    def epoch_done(self, epoch: EpochRow) -> None:
        """Advance the bar by the samples of one epoch."""
        self._bar.update(epoch.samples)

    def go_on(self, state: RunState) -> None:
        """Print how far an earlier part of the run came."""
        self._bar.update(state.samples)
        is_over = state.progress.t > self._n_megabatches
        self._say(f"goes on from a checkpoint: {'all megabatches are done' if is_over else state.progress}")

    def megabatch_done(self, row: MegabatchRow) -> None:
        """Print the results of a megabatch."""
        self._say(
            f"megabatch {row.t}/{self._n_megabatches}: density {row.density_measured:.3f}, "
            f"train {row.train_acc_running_pct:.1f} %, validation {row.valid_acc_pct:.1f} %, "
            f"test {row.test_acc_pct:.2f} % ({row.error_count} errors), {row.seconds:.1f} s"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove the bar, so that the next text, such as an error, begins on a line of its own."""
        self._bar.close()

    def _say(self, line: str) -> None:
        if self._bar.disable:
            print(line, flush=True)
        else:
            self._bar.write(line)
