"""Decide when an unfinished run is written to disk, and go on from the newest checkpoint."""

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
    """Say where and how often a run is kept.

    Attributes:
        files: the checkpoints of the run.
        every_epochs: epochs from one checkpoint to the next.
        share: of the time, above which checkpoints of epochs are put off.
        describe: returns code, versions and hardware of this process, for readers who ask where numbers come from.
        started: moment at which this process began the run, by `time.perf_counter`.
    """

    files: Checkpoints
    every_epochs: int
    share: float
    describe: Callable[[], dict[str, Any]]
    started: float = field(default_factory=time.perf_counter)


class Checkpointer:
    """Writes checkpoints of a run: every few epochs, after each megabatch, and when the run is told to stop.

    A run that has a checkpoint goes on from the newest one. Checkpoints of epochs are put off while checkpoints have
    cost more than their share of the time: with a network that trains for a second an epoch, writing would take longer
    than training.

    Args:
        options: where and how often.
        state: the run in memory; it becomes what the newest checkpoint holds.

    Attributes:
        has_begun: whether a checkpoint was there.
        resumed: the earlier parts of this run: how far each came, with its code, versions and hardware.

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
        """Seconds that this run took so far, earlier parts included."""
        return self._earlier_seconds + time.perf_counter() - self._options.started

    def epoch_done(self, epoch: EpochRow) -> None:
        """Write a checkpoint if one is due."""
        # The coming checkpoint counts as time as well, as long as the last one: a share of 1 then puts none off.
        spent = self._spent + self._last
        elapsed = time.perf_counter() - self._options.started + self._last
        if epoch.epoch % self._options.every_epochs == 0 and spent <= self._options.share * elapsed:
            self.write()

    def write(self) -> None:
        """Write a checkpoint of where the run stands."""
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
        """On an interrupt, write a checkpoint, unless pruning is in progress.

        During pruning the previous checkpoint is still valid.
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
