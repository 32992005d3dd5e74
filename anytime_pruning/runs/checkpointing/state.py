"""Gather the state of a run in memory: everything that its later numbers depend on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from anytime_pruning.machine.randomness import restore_random_states
from anytime_pruning.models.state import copy_state, restore_state
from anytime_pruning.pruning.masks import Masks
from anytime_pruning.results.records import Records
from anytime_pruning.results.rows import EpochRow, LayerRow, MegabatchRow
from anytime_pruning.training.progress import MegabatchProgress, tensors_below
from anytime_pruning.training.trainer import Trainer


@dataclass
class RunState:
    """Holds the state of a run in memory.

    Attributes:
        trainer: holds the network, the optimiser and the generators.
        records: rows of the finished megabatches.
        masks: the current bool masks by parameter name; empty before the first pruning.
        progress: progress of training on the current megabatch.
        origin: state of the network that the start goes back to; empty if it goes nowhere or that epoch is to come.
    """

    trainer: Trainer
    records: Records
    masks: Masks
    progress: MegabatchProgress
    origin: dict[str, Tensor] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """Return the number of samples trained on in finished epochs."""
        return sum(epoch.samples for epoch in (*self.records.epochs, *self.progress.epochs))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON-serialisable part."""
        records = self.records
        return {
            "position": self.progress.to_json(),
            "rows": {
                "megabatches": [asdict(row) for row in records.megabatches],
                "epochs": [asdict(row) for row in records.epochs],
                "layers": [asdict(row) for row in records.layers],
            },
        }

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors, by name."""
        groups: dict[str, Mapping[str, Tensor]] = {
            "model": copy_state(self.trainer.model),
            "velocity": {str(i): velocity for i, velocity in enumerate(self.trainer.optimizer.velocities)},
            "mask": self.masks,
            "random": self.trainer.random_states,
            "origin": self.origin,
        }
        named = {f"{group}/{name}": tensor for group, tensors in groups.items() for name, tensor in tensors.items()}
        return named | self.progress.tensors()

    def restore(self, content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Restore the state that `to_json` and `tensors` described; the network and the optimiser change in place."""
        trainer, device = self.trainer, self.trainer.data.images.device
        restore_state(trainer.model, tensors_below("model/", tensors))
        for i, velocity in enumerate(trainer.optimizer.velocities):
            velocity.copy_(tensors[f"velocity/{i}"])
        trainer.random_states = tensors_below("random/", tensors)
        restore_random_states(trainer.random_states, trainer.generator, device)
        self.masks = {name: mask.to(device) for name, mask in tensors_below("mask/", tensors).items()}
        self.origin = {name: tensor.to(device) for name, tensor in tensors_below("origin/", tensors).items()}
        self.progress = MegabatchProgress.restored(content["position"], tensors, device)
        rows = content["rows"]
        self.records.megabatches = [MegabatchRow(**row) for row in rows["megabatches"]]
        self.records.epochs = [EpochRow(**row) for row in rows["epochs"]]
        self.records.layers = [LayerRow(**row) for row in rows["layers"]]
