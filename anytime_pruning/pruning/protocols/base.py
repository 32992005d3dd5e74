"""Define the interface of protocols."""

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
    """Holds the rules by which a run prunes and selects its best epoch.

    Attributes:
        selects_on_augmented: whether validation on augmented images selects the best epoch.
        prune_on: the values of the setting `prune_on` that this protocol allows.
        scored_images: which images weights are scored on, in a few words for messages.
    """

    selects_on_augmented: ClassVar[bool]
    prune_on: ClassVar[tuple[str, ...]]
    scored_images: ClassVar[str]

    @abstractmethod
    def draw_sample(self, arrived: Sequence[Megabatch], replayed: Tensor, prune_on: str, draw: SampleDraw) -> Tensor:
        """Choose pi_t, the sample of training images for scoring.

        Args:
            arrived: the megabatches M_1 ... M_t.
            replayed: int64 [n], the training part of the replay-inclusive set at t.
            prune_on: the setting `prune_on`.
            draw: takes a share of given indices, either at random or from the start.

        Returns:
            int64 [m], indices of training images.
        """

    @abstractmethod
    def choose_masks(
        self, chooser: MaskChooser, masks: Masks, densities: Sequence[float], t: int, sample: Tensor
    ) -> Masks:
        """Choose the masks for megabatch t.

        The weights of the network change only if the pruner takes several rounds: those pruned in a round before the
        last one are then zero.

        Args:
            chooser: scores and selects for the network.
            masks: masks of the megabatch before; empty before the first pruning.
            densities: density asked for at each of the T megabatches, in (0, 1].
            t: index of the megabatch, from 1.
            sample: int64 [m], pi_t.

        Returns:
            Masks nested in the given masks, or the given masks themselves if nothing is pruned at t.
        """

    @abstractmethod
    def expected_kept(self, densities: Sequence[float], t: int, scope: str, n_prunable: int) -> tuple[int, int]:
        """Return how many weights masks may keep at megabatch t.

        Args:
            densities: density asked for at each of the T megabatches, in (0, 1].
            t: index of the megabatch, from 1.
            scope: the setting `scope`, `global` or `local`.
            n_prunable: number of prunable weights.

        Returns:
            The smallest and the largest allowed number of weights.
        """


def make_protocol(name: str) -> Protocol:
    """Return the protocol registered under a name.

    Raises:
        SettingError: the name is not registered.
    """
    return cast(Protocol, lookup("protocol", name))
