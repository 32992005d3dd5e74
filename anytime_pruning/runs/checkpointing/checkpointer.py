"""Decide when an unfinished run is written to disk, and continue a run from its newest checkpoint."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from anytime_pruning.foundation.signals import Interrupted
from anytime_pruning.results.rows import EpochRow
from anytime_pruning.runs.checkpointing.files import Checkpoints
from anytime_pruning.runs.checkpointing.state import RunState


@dataclass(frozen=True)
class CheckpointOptions:
    """Holds where and how often checkpoints of a run are written.

    Attributes:
        files: the checkpoints of the run.
        every_epochs: number of epochs from one checkpoint to the next.
        share: largest share of the running time for checkpoints, in [0, 1]; above this share, checkpoints of epochs
            are postponed.
        describe: returns the code version, package versions and hardware of this process, which metrics.json records.
        started: the time at which this process began the run, as `time.perf_counter` gives it, in seconds.
    """

    files: Checkpoints
    every_epochs: int
    share: float
    describe: Callable[[], dict[str, Any]]
    started: float = field(default_factory=time.perf_counter)


class Checkpointer:
    """Writes checkpoints of a run: every few epochs, after each megabatch, and when the run is told to stop.

    A run that has checkpoints continues from the newest one. Checkpoints of epochs are postponed while checkpoints have
    taken more than their share of the time: if an epoch lasts only a second, writing a checkpoint would take longer
    than training.

    Args:
        options: where and how often checkpoints are written.
        state: the run in memory; it is set to the content of the newest checkpoint.

    Attributes:
        has_begun: whether a checkpoint existed.
        resumed: the earlier parts of this run: the progress at the end of each part, and its code, versions and
            hardware.

    Raises:
        SettingError: the checkpoint belongs to another run.
    """

    def __init__(self, options: CheckpointOptions, state: RunState):
        self._options, self._state = options, state
        self._earlier_seconds, self._spent, self._last = 0.0, 0.0, 0.0
        self.resumed: list[dict[str, Any]] = []
        found = options.files.read()
        self.has_begun = found is not None
        if found is not None:
            content, tensors = found
            state.restore(content["state"], tensors)
            self._earlier_seconds = content["seconds"]
            self.resumed = [*content["resumed"], content["part"]]

    @property
    def seconds(self) -> float:
        """Return the seconds that this run took so far, including its earlier parts."""
        return self._earlier_seconds + time.perf_counter() - self._options.started

    def epoch_done(self, epoch: EpochRow) -> None:
        """Write a checkpoint if one is due."""
        # The time of the next checkpoint is taken to be that of the last one and is part of the running time, so that a
        # share of 1 postpones no checkpoint.
        spent = self._spent + self._last
        elapsed = time.perf_counter() - self._options.started + self._last
        if epoch.epoch % self._options.every_epochs == 0 and spent <= self._options.share * elapsed:
            self.write()

    def write(self) -> None:
        """Write a checkpoint of the run's present state."""
        started = time.perf_counter()
        progress = self._state.progress
        step = progress.current.step if progress.current else 0
        content = {
            "state": self._state.to_json(),
            "seconds": self.seconds,
            "resumed": self.resumed,
            "part": {"t": progress.t, "epochs": len(progress.epochs), "step": step, **self._options.describe()},
        }
        self._options.files.write(content, self._state.tensors())
        self._last = time.perf_counter() - started
        self._spent += self._last

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write a checkpoint after an interrupt, unless pruning is in progress.

        During pruning, the previous checkpoint is still valid.
        """
        if not isinstance(error, Interrupted):
            return
        if self._options.files.exist():
            error.kept = "the same command goes on from the last checkpoint"
        if error.is_safe and self._state.progress.is_pruned:
            try:
                self.write()
            except Interrupted as second:
                second.kept = error.kept
                raise
            error.kept = f"kept at {self._state.progress}; the same command goes on from there"
