"""Where training stands within a stream: what has to be known, beside the network, to go on from there."""

import time
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from anytime_pruning.results.rows import Epoch
from anytime_pruning.training.evaluation import Evaluation


@dataclass
class Pass:
    """One pass over the shuffled training set, as far as it has come.

    `order_state` is the generator's before order and augmentation were drawn, all at once: drawn again they are the
    same. `losses` [n_steps] and `correct` [] are on the device until the last step.
    """

    order_state: Tensor
    losses: Tensor
    correct: Tensor
    step: int = 0
    seconds: float = 0.0


@dataclass
class Position:
    """Where training on megabatch t stands: not pruned for it; at a step of an epoch; between two; trained, not tested.

    `validation` is of the last epoch. `evaluations` are those after the last epoch (`MegabatchTraining`), and once they
    are there, the network has its best weights again and `best_state` is empty.
    """

    t: int = 1
    is_pruned: bool = False
    prune_seconds: float = 0.0
    seconds: float = 0.0
    epochs: list[Epoch] = field(default_factory=list)
    best_correct: int = -1
    best_epoch: int = 0
    best_state: dict[str, Tensor] = field(default_factory=dict)
    validation: Evaluation | None = None
    current: Pass | None = None
    evaluations: list[Evaluation] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._started = time.perf_counter() - self.seconds

    def stop_watch(self) -> float:
        """Seconds spent on this megabatch, those of earlier processes included."""
        self.seconds = time.perf_counter() - self._started
        return self.seconds

    def pruned(self) -> None:
        """The network is pruned for this megabatch, and nothing else is done yet."""
        self.is_pruned, self.prune_seconds = True, self.stop_watch()

    def to_json(self) -> dict[str, Any]:
        """All of it that is no tensor."""
        self.stop_watch()
        content = {
            name: getattr(self, name)
            for name in ("t", "is_pruned", "prune_seconds", "seconds", "best_correct", "best_epoch")
        }
        return content | {
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "validation": self.validation and asdict(self.validation),
            "evaluations": [asdict(evaluation) for evaluation in self.evaluations],
            "current": self.current and {"step": self.current.step, "seconds": self.current.seconds},
        }

    def tensors(self) -> dict[str, Tensor]:
        """All of it that is."""
        tensors = {f"best/{name}": tensor for name, tensor in self.best_state.items()}
        if self.current:
            tensors |= {f"pass/{name}": getattr(self.current, name) for name in ("order_state", "losses", "correct")}
        return tensors

    @classmethod
    def of(cls, content: dict[str, Any], tensors: dict[str, Tensor], device: torch.device) -> "Position":
        """The position that `to_json` and `tensors` described."""
        current = content["current"] and Pass(
            order_state=tensors["pass/order_state"],
            losses=tensors["pass/losses"].to(device),
            correct=tensors["pass/correct"].to(device),
            **content["current"],
        )
        return cls(
            **content
            | {
                "epochs": [Epoch(**epoch) for epoch in content["epochs"]],
                "validation": content["validation"] and Evaluation(**content["validation"]),
                "evaluations": [Evaluation(**evaluation) for evaluation in content["evaluations"]],
                "best_state": {name: tensor.to(device) for name, tensor in below("best/", tensors).items()},
                "current": current,
            }
        )

    def __str__(self) -> str:
        """For a person: what comes next."""
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


def below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, by the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
