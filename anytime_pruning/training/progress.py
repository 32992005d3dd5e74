"""Hold the progress of training on a megabatch, which is all that is needed to continue later, and the results."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from anytime_pruning.results.rows import EpochRow
from anytime_pruning.training.evaluation import Evaluation


@dataclass
class EpochProgress:
    """Holds how far one pass over the shuffled training set has come.

    Attributes:
        order_state: state of the generator before the order and the augmentation of the whole pass are drawn; draws
            from this state give the same order and augmentation again.
        losses: float32 [n_steps], mean loss of each step; on the device until the last step.
        correct: int64 [], number of samples classified correctly; on the device.
        step: number of finished steps.
        seconds: time spent on the pass so far.
    """

    order_state: Tensor
    losses: Tensor
    correct: Tensor
    step: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class LastEpochEvaluations:
    """Holds the evaluations of the last epoch's weights, made before the best weights are restored.

    Attributes:
        train_clean: evaluation on the training set, without augmentation.
        valid_clean: evaluation on the validation set, without augmentation.
        valid_augmented: evaluation on the validation set, augmented as in training.
    """

    train_clean: Evaluation
    valid_clean: Evaluation
    valid_augmented: Evaluation


@dataclass(frozen=True)
class MegabatchTraining:
    """Holds the results of training on one megabatch.

    Attributes:
        epochs: one row for each epoch; none where the network waits.
        best_epoch: number of the epoch whose weights the network holds now; 0 where it waits.
        evaluations: evaluations of the last epoch's weights.
    """

    epochs: list[EpochRow]
    best_epoch: int
    evaluations: LastEpochEvaluations


@dataclass
class MegabatchProgress:
    """Holds the progress on megabatch t: before pruning, at a step, between two epochs, or before the test.

    Attributes:
        t: index of the megabatch, from 1.
        is_pruned: whether the network is pruned for this megabatch.
        prune_seconds: time spent on pruning.
        zero_score_layers: number of layers that had weights and whose scores were all zero at the pruning; 0 if nothing
            was scored.
        seconds: time spent on this megabatch, including the time of earlier processes.
        epochs: rows of the finished epochs.
        best_accuracy: validation accuracy of the best epoch, as the protocol measures it; -1 before the first epoch.
        best_epoch: number of the best epoch.
        best_state: the best epoch's state as `copy_state` copies it; empty once the network holds these weights again.
        best_masks: the best epoch's masks, where masks change while the network trains; else empty.
        validation: validation result of the last finished epoch, by which the best epoch is selected.
        current: the epoch that has begun and is not finished; None between epochs.
        evaluations: evaluations after the last epoch; None until they are made. Afterwards the network holds its best
            weights.
    """

    t: int = 1
    is_pruned: bool = False
    prune_seconds: float = 0.0
    zero_score_layers: int = 0
    seconds: float = 0.0
    epochs: list[EpochRow] = field(default_factory=list)
    best_accuracy: float = -1.0
    best_epoch: int = 0
    best_state: dict[str, Tensor] = field(default_factory=dict)
    best_masks: dict[str, Tensor] = field(default_factory=dict)
    validation: Evaluation | None = None
    current: EpochProgress | None = None
    evaluations: LastEpochEvaluations | None = None

    def __post_init__(self) -> None:
        self._started = time.perf_counter() - self.seconds

    def stop_watch(self) -> float:
        """Return the seconds spent on this megabatch, including those of earlier processes."""
        self.seconds = time.perf_counter() - self._started
        return self.seconds

    def mark_pruned(self, zero_score_layers: int) -> None:
        """Record that the network is pruned for this megabatch and that training has not begun.

        Args:
            zero_score_layers: number of layers that had weights and whose scores were all zero.
        """
        self.is_pruned, self.prune_seconds, self.zero_score_layers = True, self.stop_watch(), zero_score_layers

    def to_json(self) -> dict[str, Any]:
        """Return the JSON-serialisable part."""
        self.stop_watch()
        names = ("t", "is_pruned", "prune_seconds", "zero_score_layers", "seconds", "best_accuracy", "best_epoch")
        evaluations = asdict(self.evaluations) if self.evaluations else {}
        return {name: getattr(self, name) for name in names} | {
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "validation": self.validation and asdict(self.validation),
            "evaluations": list(evaluations.values()),
            "current": self.current and {"step": self.current.step, "seconds": self.current.seconds},
        }

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors, by name."""
        tensors = {f"best/{name}": tensor for name, tensor in self.best_state.items()}
        tensors |= {f"best_mask/{name}": mask for name, mask in self.best_masks.items()}
        if self.current:
            tensors |= {f"pass/{name}": getattr(self.current, name) for name in ("order_state", "losses", "correct")}
        return tensors

    @classmethod
    def restored(
        cls, content: Mapping[str, Any], tensors: Mapping[str, Tensor], device: torch.device
    ) -> MegabatchProgress:
        """Rebuild the progress that `to_json` and `tensors` described."""
        current = content["current"] and EpochProgress(
            order_state=tensors["pass/order_state"],
            losses=tensors["pass/losses"].to(device),
            correct=tensors["pass/correct"].to(device),
            **content["current"],
        )
        evaluations = [Evaluation(**evaluation) for evaluation in content["evaluations"]]
        parts = {
            "epochs": [EpochRow(**epoch) for epoch in content["epochs"]],
            "validation": content["validation"] and Evaluation(**content["validation"]),
            "evaluations": LastEpochEvaluations(*evaluations) if evaluations else None,
            "best_state": {name: tensor.to(device) for name, tensor in tensors_below("best/", tensors).items()},
            "best_masks": {name: mask.to(device) for name, mask in tensors_below("best_mask/", tensors).items()},
            "current": current,
        }
        return cls(**{**content, **parts})

    def __str__(self) -> str:
        """Describe the position within the stream by what comes next."""
        if not self.is_pruned:
            return f"megabatch {self.t}, before pruning"
        if self.evaluations:
            return f"megabatch {self.t}, before its test"
        if self.current is None and self.epochs:
            return f"megabatch {self.t}, after epoch {len(self.epochs)}"
        epoch = f"megabatch {self.t}, epoch {len(self.epochs) + 1}"
        if self.current is None:
            return epoch
        is_over = self.current.step == len(self.current.losses)
        return f"{epoch}, before its validation" if is_over else f"{epoch}, step {self.current.step + 1}"


def tensors_below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, by the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
