"""Define what a start knows."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Generator, nn

from anytime_pruning.pruning.masks import Masks
from anytime_pruning.training.trainer import Trainer


@dataclass(frozen=True)
class StartContext:
    """Holds what a start may look at and change.

    Attributes:
        t: index of the megabatch that begins, from 1.
        trainer: holds the network and the optimiser with its momentum; both may be changed in place.
        masks: in force so far; weights that they do not keep must stay exactly zero.
        build_afresh: returns the same architecture with the initial weights of a seed.
        generator: for starts that draw.
    """

    t: int
    trainer: Trainer
    masks: Masks
    build_afresh: Callable[[int], nn.Module]
    generator: Generator
