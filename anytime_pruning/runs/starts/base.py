"""Define the context that a start receives."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Generator, nn

from anytime_pruning.pruning.masks import Masks
from anytime_pruning.training.trainer import Trainer


@dataclass(frozen=True)
class StartContext:
    """Holds the objects that a start may read and change.

    Attributes:
        t: index of the megabatch that begins, from 1.
        trainer: holds the network and the optimiser with its momentum; both may be changed in place.
        masks: the current bool masks; weights that they do not keep must stay exactly zero.
        build_afresh: a function that takes a seed and returns the same architecture with the initial weights of this
            seed.
        generator: random generator for starts that draw.
    """

    t: int
    trainer: Trainer
    masks: Masks
    build_afresh: Callable[[int], nn.Module]
    generator: Generator
