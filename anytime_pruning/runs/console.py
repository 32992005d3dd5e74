"""What a run says while it goes on: a progress bar on a terminal, plain lines in a log."""

import sys

from tqdm import tqdm

from anytime_pruning.results.rows import Epoch, MegabatchRow
from anytime_pruning.runs.state import RunState
from anytime_pruning.settings.cost import PlannedCost


class Progress:
    """Counts training samples of a whole stream and says one line for each megabatch.

    Args:
        name: what the run is, in a few words.
        cost: of the whole stream.
    """

    def __init__(self, name: str, cost: PlannedCost, n_megabatches: int):
        self._n_megabatches = n_megabatches
        self._bar = tqdm(
            total=cost.train, desc=name, unit="img", unit_scale=True, disable=not sys.stderr.isatty(), leave=False
        )
        self._say(f"{name}: {n_megabatches} megabatch{'es' if n_megabatches > 1 else ''}, {cost}")

    def epoch_done(self, epoch: Epoch) -> None:
        """Advance the bar by the samples of one epoch."""
        self._bar.update(epoch.samples)

    def go_on(self, state: RunState) -> None:
        """Say that a part is done already."""
        self._bar.update(state.samples)
        is_over = state.position.t > self._n_megabatches
        self._say(f"goes on from a checkpoint: {'all megabatches are done' if is_over else state.position}")

    def megabatch_done(self, row: MegabatchRow) -> None:
        """Say what a megabatch came to."""
        self._say(
            f"megabatch {row.t}/{self._n_megabatches}: density {row.density_measured:.3f}, "
            f"train {row.train_acc_running_pct:.1f} %, validation {row.valid_acc_pct:.1f} %, "
            f"test {row.test_acc_pct:.2f} % ({row.error_count} errors), {row.seconds:.1f} s"
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exception: object) -> None:
        """Remove the bar, also when the run fails: what is said next begins on a line of its own."""
        self._bar.close()

    def _say(self, line: str) -> None:
        if self._bar.disable:
            print(line, flush=True)
        else:
            self._bar.write(line)
