"""Prune with the mask arithmetic of the published code.

Source: landskape-ai/Progressive-Pruning at commit 7840633, whose behaviour was observed. The documentation lists the
differences from the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.protocols.base import Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from anytime_pruning.pruning.mask_chooser import MaskChooser
    from anytime_pruning.pruning.masks import Masks
    from anytime_pruning.stream.megabatches import Megabatch
    from anytime_pruning.stream.sample import SampleDraw


class ReleasedProtocol(Protocol):
    """Scores fresh convolutions, lets pruned weights compete again and intersects the masks.

    From the second megabatch on, the scored convolutions are not the trained ones: they are initialised afresh, beside
    the trained batch norm and classifier. All weights compete for the scheduled density, including the weights that
    were pruned earlier. A weight is kept only if every selection so far has kept it, so densities multiply. If `scope`
    is local, every selection uses the final density.
    """

    selects_on_augmented = True
    prune_on = ("replay",)
    scored_images = "the first samples of the stream"

    def draw_sample(self, arrived: Sequence[Megabatch], replayed: Tensor, prune_on: str, draw: SampleDraw) -> Tensor:
        """Take the first images of the stream at every megabatch: a share of M_1."""
        return draw.from_start(arrived[0].train)

    def choose_masks(
        self, chooser: MaskChooser, masks: Masks, densities: Sequence[float], t: int, sample: Tensor
    ) -> Masks:
        """Choose among all weights, then keep only the chosen weights that the previous masks keep as well."""
        if densities[t - 1] >= (densities[t - 2] if t > 1 else 1):
            return masks
        network = chooser.copy_network(f"released weights {t}" if t > 1 else None)
        scope = chooser.options.scope
        chosen = chooser.choose(network, {}, _density_asked(densities, t, scope), sample, t)
        return {name: mask & masks[name] if masks else mask for name, mask in chosen.items()}

    def expected_kept(self, densities: Sequence[float], t: int, scope: str, n_prunable: int) -> tuple[int, int]:
        """Return 0 and the number of weights of the density asked for, because intersected masks may keep fewer."""
        return 0, round(_density_asked(densities, t, scope) * n_prunable)


def _density_asked(densities: Sequence[float], t: int, scope: str) -> float:
    """Return the density for the selection; with `scope` local, this is the final density once anything is pruned."""
    return densities[-1] if scope == "local" and densities[t - 1] < 1 else densities[t - 1]


register("protocol", "released")(ReleasedProtocol())
