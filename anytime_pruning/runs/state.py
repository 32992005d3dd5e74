"""An unfinished run on disk: all that its later numbers depend on, kept while it goes on, and gone on from."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from anytime_pruning.foundation.signals import Interrupted
from anytime_pruning.machine.randomness import restore_random_states
from anytime_pruning.pruning.masks import Masks
from anytime_pruning.results.records import Records
from anytime_pruning.results.rows import Epoch, LayerRow, MegabatchRow
from anytime_pruning.runs.checkpoints import Checkpoints
from anytime_pruning.settings.execution import ExecutionSettings
from anytime_pruning.training.progress import Position, below
from anytime_pruning.training.trainer import Trainer

ROWS = {"megabatches": MegabatchRow, "epochs": Epoch, "layers": LayerRow}


@dataclass
class RunState:
    """A run in memory: network, optimiser and generators (of the trainer), masks, where it stands, rows so far."""

    trainer: Trainer
    records: Records
    masks: Masks
    position: Position

    @property
    def samples(self) -> int:
        """Trained on so far, in finished epochs."""
        return sum(epoch.samples for epoch in (*self.records.epochs, *self.position.epochs))

    def to_json(self) -> dict[str, Any]:
        """All of it that is no tensor."""
        rows = {name: [asdict(row) for row in getattr(self.records, name)] for name in ROWS}
        return {"position": self.position.to_json(), "rows": rows}

    def tensors(self) -> dict[str, Tensor]:
        """All of it that is."""
        groups = {
            "model": self.trainer.model.state_dict(),
            "velocity": {str(i): velocity for i, velocity in enumerate(self.trainer.optimizer.velocities)},
            "mask": self.masks,
            "random": self.trainer.random_states,
        }
        named = {f"{group}/{name}": tensor for group, tensors in groups.items() for name, tensor in tensors.items()}
        return named | self.position.tensors()

    def restore(self, content: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Become what `to_json` and `tensors` described; network and optimiser in place."""
        trainer, device = self.trainer, self.trainer.data.images.device
        trainer.model.load_state_dict(below("model/", tensors), strict=True)
        for i, velocity in enumerate(trainer.optimizer.velocities):
            velocity.copy_(tensors[f"velocity/{i}"])
        trainer.random_states = below("random/", tensors)
        restore_random_states(trainer.random_states, trainer.generator, device)
        self.masks = {name: mask.to(device) for name, mask in below("mask/", tensors).items()}
        self.position = Position.of(content["position"], tensors, device)
        for name, row in ROWS.items():
            setattr(self.records, name, [row(**values) for values in content["rows"][name]])


class Keeper:
    """Writes checkpoints of a run: every few epochs, at each megabatch, and when it is told to stop.

    Those of epochs are put off while checkpoints have cost more than their share of the time; with a network that
    trains for a second an epoch, a disk would take longer than that.

    Args:
        describe: code, versions and hardware of this process, for who asks later where numbers come from.

    Attributes:
        resumed: the earlier parts of this run: each how far it came, and its code, versions and hardware.
    """

    def __init__(self, checkpoints: Checkpoints, execution: ExecutionSettings, describe: Callable[[], dict[str, Any]]):
        self._checkpoints, self._describe = checkpoints, describe
        self._every, self._share = execution.checkpoint_epochs, execution.checkpoint_share
        self._started, self._earlier, self._spent, self._last = time.perf_counter(), 0.0, 0.0, 0.0
        self._state: RunState | None = None
        self.resumed: list[dict[str, Any]] = []

    @property
    def seconds(self) -> float:
        """Of this run so far, earlier parts included."""
        return self._earlier + time.perf_counter() - self._started

    def restore(self, state: RunState) -> bool:
        """Keep this run from now on; first go on from its newest checkpoint, if there is one.

        Raises:
            SettingError: the checkpoint is of another run.
        """
        self._state = state
        found = self._checkpoints.read()
        if found is None:
            return False
        content, tensors = found
        state.restore(content["state"], tensors)
        self._earlier, self.resumed = content["seconds"], [*content["resumed"], content["part"]]
        return True

    def epoch_done(self, epoch: Epoch) -> None:
        """Write a checkpoint if one is due."""
        # With this one, as long as the last: it takes time, too, so that a share of 1 puts none off.
        spent, elapsed = self._spent + self._last, time.perf_counter() - self._started + self._last
        if epoch.epoch % self._every == 0 and spent <= self._share * elapsed:
            self.keep()

    def keep(self) -> None:
        """Write a checkpoint of where the run stands."""
        started = time.perf_counter()
        position = self._state.position
        step = position.current.step if position.current else 0
        content = {
            "state": self._state.to_json(),
            "seconds": self.seconds,
            "resumed": self.resumed,
            "part": {"t": position.t, "epochs": len(position.epochs), "step": step, **self._describe()},
        }
        self._checkpoints.write(content, self._state.tensors())
        self._last = time.perf_counter() - started
        self._spent += self._last

    def clear(self) -> None:
        """Remove the checkpoints: the run is done."""
        self._checkpoints.clear()

    def __enter__(self) -> "Keeper":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        """Told to stop: keep where the run stands. In the middle of pruning it stands where it did before."""
        if not isinstance(error, Interrupted):
            return
        if self._checkpoints.exist():
            error.kept = "the same command goes on from the last checkpoint"
        if error.is_safe and self._state.position.is_pruned:
            try:
                self.keep()
            except Interrupted as second:
                second.kept = error.kept
                raise
            error.kept = f"kept at {self._state.position}; the same command goes on from there"
