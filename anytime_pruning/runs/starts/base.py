"""Define the context that a start receives, and the mark of a start that goes back to an earlier state."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import Generator, Tensor, nn

from anytime_pruning.pruning.masks import Masks
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.training.trainer import Trainer

Start = TypeVar("Start", bound=Callable[..., None])


@dataclass(frozen=True)
class StartContext:
    """Holds the objects that a start may read and change.

    Attributes:
        t: index of the megabatch that begins, from 2; the first training always begins with the initial weights.
        trainer: holds the network and the optimiser with its momentum; both may be changed in place.
        masks: the current bool masks. After the start, weights that they do not keep are set to zero.
        build_afresh: a function that takes a seed and returns the same architecture with the initial weights of this
            seed.
        generator: random generator for starts that draw.
        settings: settings of the run, such as `shrink`.
        train: int64 [n], indices of the training images of the megabatch that begins.
        origin: state of the network after the epoch `rewind_epoch` of the first training; empty unless the start is
            marked by `goes_back`.
    """

    t: int
    trainer: Trainer
    masks: Masks
    build_afresh: Callable[[int], nn.Module]
    generator: Generator
    settings: RunSettings
    train: Tensor
    origin: Mapping[str, Tensor]

    def reset_momentum(self) -> None:
        """Set the momentum of all parameters to zero."""
        for velocity in self.trainer.optimizer.velocities:
            velocity.zero_()


def goes_back(start: Start) -> Start:
    """Mark a start that needs `StartContext.origin`, which a run then keeps in its memory and its checkpoints."""
    setattr(start, "goes_back", True)  # noqa: B010  (a function has no declared attribute of this name)
    return start


def needs_origin(start: Any) -> bool:
    """Return whether a start is marked by `goes_back`."""
    return bool(getattr(start, "goes_back", False))
