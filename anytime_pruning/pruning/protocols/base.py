"""Defines what every protocol answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from anytime_pruning.foundation.registry import lookup

if TYPE_CHECKING:
    from torch import Tensor

    from anytime_pruning.pruning.mask_chooser import MaskChooser
    from anytime_pruning.pruning.masks import Masks
    from anytime_pruning.stream.megabatches import Megabatch
    from anytime_pruning.stream.sample import SampleDraw


class Protocol(ABC):
    """Holds the rules by which a run prunes and selects.

    Attributes:
        selects_on_augmented: whether validation on augmented images selects the best epoch.
        prune_on: the values of the setting `prune_on` that this protocol knows.
    """

    selects_on_augmented: ClassVar[bool]
    prune_on: ClassVar[tuple[str, ...]]

    @abstractmethod
    def draw_sample(self, arrived: Sequence[Megabatch], replayed: Tensor, prune_on: str, draw: SampleDraw) -> Tensor:
        """Choose pi_t, the training images to score on.

        Args:
            arrived: M_1 ... M_t.
            replayed: int64 [n], the training part of the replay-inclusive set at t.
            prune_on: the setting of that name.
            draw: takes a share of some indices, at random or from their start.

        Returns:
            int64 [m], indices of training images.
        """

    @abstractmethod
    def choose_masks(
        self, chooser: MaskChooser, masks: Masks, densities: Sequence[float], t: int, sample: Tensor
    ) -> Masks:
        """Choose the masks for megabatch t. The network keeps its weights, but for those of rounds before the last.

        Args:
            chooser: scores and selects for the network.
            masks: of the megabatch before; empty before the first pruning.
            densities: asked for at each of the T megabatches.
            t: index of the megabatch, from 1.
            sample: int64 [m], pi_t.

        Returns:
            Masks nested in the given ones; the given ones where nothing is pruned.
        """

    @abstractmethod
    def expected_kept(self, densities: Sequence[float], t: int, scope: str, n_prunable: int) -> tuple[int, int]:
        """Say how many weights masks may keep at megabatch t.

        Args:
            densities: asked for at each of the T megabatches.
            t: index of the megabatch, from 1.
            scope: the setting of that name.
            n_prunable: number of prunable weights.

        Returns:
            The fewest and the most.
        """


def make_protocol(name: str) -> Protocol:
    """Return the protocol registered under a name.

    Raises:
        SettingError: the name is not registered.
    """
    return cast(Protocol, lookup("protocol", name))
