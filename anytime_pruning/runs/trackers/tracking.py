"""Report a run's epochs and megabatches to its tracker, and shield the run from the tracker's failures."""

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import torch

from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.registry import lookup
from anytime_pruning.results.rows import EpochRow, MegabatchRow
from anytime_pruning.settings.run import RunSettings


class Tracker(Protocol):
    """Describes what a tracker offers."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Report some numbers by name, after this many training samples."""

    def close(self, failed: bool) -> None:
        """Write what is still to be written, and say whether the run failed."""


class Tracking:
    """Tells a run's tracker of each epoch and megabatch; the first failure is reported once and ends the tracking.

    Args:
        settings: of the run; `execution.tracker` names the tracker.
        out_dir: folder of the run, below which a tracker may write.
        samples: trained on and reported already, by an earlier process of this run.
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
        """Report what a megabatch came to."""
        self._log("megabatch", asdict(row))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the tracker, also when the run fails."""
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
        """Call into a foreign package, and let neither its errors nor its random draws reach the run."""
        state = random.getstate()
        try:
            with torch.random.fork_rng(devices=[]):
                call()
        except Exception as error:
            self._tracker = None
            reason = " ".join(str(error).split()) or type(error).__name__
            warn(f"execution.tracker: {self._name} is off for this run: {reason}")
        finally:
            random.setstate(state)
