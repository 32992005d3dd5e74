"""Trackers: where a run reports to beside its own files, for those who watch many. A file for each, registered here.

A tracker is a class (settings, out_dir, samples) with `log(values, step)` and `close(failed)`. Its package is imported
when it is made. A run never fails because its tracker does, and its numbers are the same with and without.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch

from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.registry import lookup
from anytime_pruning.results.rows import Epoch, MegabatchRow
from anytime_pruning.runs.trackers import none, tensorboard, wandb  # noqa: F401
from anytime_pruning.settings.run import RunSettings


class Tracker(Protocol):
    """What a tracker offers."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Report some numbers by name, after so many training samples."""

    def close(self, failed: bool) -> None:
        """Finish what is still to be written; of a run that failed, or of a whole one."""


class Tracking:
    """A run's tracker as a listener: told of each epoch and megabatch; the first failure is said once and ends it.

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

    def epoch_done(self, epoch: Epoch) -> None:
        """Report an epoch's losses and accuracies."""
        self._samples += epoch.samples
        self._log("epoch", asdict(epoch))

    def megabatch_done(self, row: MegabatchRow) -> None:
        """Report what a megabatch came to."""
        self._log("megabatch", asdict(row))

    def __enter__(self) -> "Tracking":
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        """Close the tracker, also when the run fails."""
        if self._tracker is not None:
            self._guarded(lambda: self._tracker.close(failed=kind is not None))
        self._tracker = None

    def _log(self, group: str, values: dict[str, Any]) -> None:
        if self._tracker is not None:
            values = {f"{group}/{name}": float(value) for name, value in values.items()}
            self._guarded(lambda: self._tracker.log(values, self._samples))

    def _guarded(self, call: Callable[[], None]) -> None:
        """Call into a foreign package: nothing it raises reaches the run, and no random draw of it does either."""
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
