"""Define the interface of protocols."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from anytime_pruning.foundation.registry import lookup
from anytime_pruning.pruning.protocols.training_rules import TrainingRules

if TYPE_CHECKING:
    from torch import Tensor

    from anytime_pruning.pruning.mask_chooser import MaskChooser
    from anytime_pruning.pruning.masks import Masks
    from anytime_pruning.pruning.schedules import Schedule
    from anytime_pruning.stream.megabatches import Megabatch
    from anytime_pruning.stream.sample import SampleDraw


@dataclass(frozen=True)
class PruningStep:
    """Describes what the settings ask of one pruning.

    Attributes:
        t: index of the megabatch, from 1.
        density: density that the schedule asks for at t, in (0, 1].
        final_density: `base_density ** tau`, in (0, 1].
        scope: `global` ranks all weights together; `local` ranks the weights of each layer separately.
    """

    t: int
    density: float
    final_density: float
    scope: str


class Protocol(ABC):
    """Holds the rules by which a run prunes and selects its best epoch.

    Attributes:
        version: number of the rules; raise it by one with every change that alters the numbers of runs of this
            protocol. Runs of other protocols keep their digests.
        allowed: allowed values of settings; settings that are not named here are free. Pruning settings count only
            for methods that prune.
        scoring_batch: images of a batch for scoring; None means the setting `batch_size`.
        training: the rules of training on a megabatch.
    """

    version: ClassVar[int] = 1
    allowed: ClassVar[Mapping[str, tuple[Any, ...]]] = {}
    scoring_batch: ClassVar[int | None] = None
    training: ClassVar[TrainingRules] = TrainingRules()

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
    def choose_masks(self, chooser: MaskChooser, masks: Masks, step: PruningStep, sample: Tensor) -> Masks:
        """Choose the masks for a megabatch.

        The weights of the network change only if the pruner takes several rounds: those pruned in a round before the
        last one are then zero.

        Args:
            chooser: scores and selects for the network.
            masks: masks of the megabatch before; empty before the first pruning.
            step: what the settings ask for.
            sample: int64 [m], pi_t.

        Returns:
            Masks nested in the given masks, or the given masks themselves if nothing is pruned.
        """

    @abstractmethod
    def expected_kept(self, step: PruningStep, layer_sizes: Sequence[int]) -> tuple[int, int]:
        """Return how many weights masks may keep at a megabatch.

        Args:
            step: what the settings ask for.
            layer_sizes: number of prunable weights of each layer.

        Returns:
            The smallest and the largest allowed number of weights.
        """

    def prunes_at(self, schedule: Schedule, densities: Sequence[float]) -> list[bool]:
        """Return for each megabatch whether weights are scored and pruned: where the density falls.

        Args:
            schedule: the schedule of the run.
            densities: density that the schedule asks for at each of the T megabatches, in (0, 1].
        """
        return [density < before for before, density in zip([1.0, *densities], densities)]


def make_protocol(name: str) -> Protocol:
    """Return the protocol registered under a name.

    Raises:
        SettingError: the name is not registered.
    """
    return cast(Protocol, lookup("protocol", name))
