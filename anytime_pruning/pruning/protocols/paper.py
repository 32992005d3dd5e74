"""Prune by the rules of the paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from anytime_pruning.foundation.metrics import count_weights
from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.protocols.base import Protocol, PruningStep

if TYPE_CHECKING:
    from torch import Tensor

    from anytime_pruning.pruning.mask_chooser import MaskChooser
    from anytime_pruning.pruning.masks import Masks
    from anytime_pruning.stream.megabatches import Megabatch
    from anytime_pruning.stream.sample import SampleDraw


class PaperProtocol(Protocol):
    """Scores the network's current weights on a random sample and keeps exactly the scheduled share of all weights.

    Source: the method section of arXiv 2204.01640.
    """

    def draw_sample(self, arrived: Sequence[Megabatch], replayed: Tensor, prune_on: str, draw: SampleDraw) -> Tensor:
        """Draw pi_t at random from the replay-inclusive set, or from the current megabatch alone."""
        return draw.at_random(arrived[-1].train if prune_on == "megabatch" else replayed)

    def choose_masks(self, chooser: MaskChooser, masks: Masks, step: PruningStep, sample: Tensor) -> Masks:
        """Choose among the weights kept so far, unless these are already few enough."""
        if not chooser.keeps_fewer(step.density, masks):
            return masks
        return chooser.choose(masks, step.density, sample, step.t)

    def expected_kept(self, step: PruningStep, layer_sizes: Sequence[int]) -> tuple[int, int]:
        """Return the scheduled number of weights twice, because masks keep exactly this number."""
        count = count_weights(sum(layer_sizes), step.density)
        return count, count


register("protocol", "paper")(PaperProtocol())
