"""Report a run's epochs and megabatches to its tracker, and shield the run from the tracker's failures."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.errors import message_of
from anytime_pruning.foundation.registry import lookup
from anytime_pruning.foundation.torch_fixes.seeding import generators_restored
from anytime_pruning.results.rows import EpochRow, MegabatchRow
from anytime_pruning.settings.run import RunSettings


class Tracker(Protocol):
    """Describes the methods of a tracker."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Report numbers by name.

        Args:
            values: numbers by name.
            step: number of training samples so far.
        """

    def close(self, failed: bool) -> None:
        """Write the remaining values, and report whether the run failed."""


class Tracking:
    """Reports each epoch and megabatch to a run's tracker; after the first failure, it warns once and stops reporting.

    Args:
        settings: settings of the run; `execution.tracker` names the tracker.
        out_dir: folder of the run, below which a tracker may write.
        samples: number of training samples that earlier processes of this run have already reported.
    """

    def __init__(self, settings: RunSettings, out_dir: Path, samples: int = 0):
        self._name, self._samples = settings.execution.tracker, samples
        make = lookup("tracker", self._name)
        self._tracker: Tracker | None = None
        self._guarded(lambda: setattr(self, "_tracker", make(settings, out_dir, samples)))

    def epoch_done(self, epoch: EpochRow) -> None:
        """Report an epoch's losses and accuracies."""
        self._samples += epoch.samples
        self._log("epoch", asdict(epoch))

    def megabatch_done(self, row: MegabatchRow) -> None:
        """Report the results of a megabatch."""
        self._log("megabatch", asdict(row))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the tracker, whether or not the run failed."""
        tracker = self._tracker
        if tracker is not None:
            self._guarded(lambda: tracker.close(failed=kind is not None))
        self._tracker = None

    def _log(self, group: str, values: dict[str, Any]) -> None:
        tracker = self._tracker
        if tracker is not None:
            numbers = {f"{group}/{name}": float(value) for name, value in values.items()}
            self._guarded(lambda: tracker.log(numbers, self._samples))

    def _guarded(self, call: Callable[[], None]) -> None:
        """Call a function of the tracker, so that neither its errors nor its random draws affect the run."""
        try:
            with generators_restored():
                call()
        except Exception as error:
            self._tracker = None
            warn(f"execution.tracker: {self._name} is off for this run: {message_of(error)}")
