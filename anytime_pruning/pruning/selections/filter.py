"""Select whole filters by the sum of their scores, so that a smaller dense network computes the same."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.metrics import count_weights
from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.selections.base import Selection, check_arguments


class WholeFilters(Selection):
    """Keeps or removes all weights of an output channel together.

    The filters with the lowest sums of scores go first, and each layer keeps at least one. The density is met up to one
    filter, with scope `local` up to one filter in each layer.

    Source: Li and others, "Pruning Filters for Efficient ConvNets" (arXiv 1608.08710), where the norms of filters rank
    them.
    """

    removes_filters = True

    def accepts(self, weight: Tensor) -> bool:
        """Return whether a weight has filters."""
        return weight.dim() >= 2

    def select(
        self, scores: Mapping[str, Tensor], density: float, scope: str, kept: Mapping[str, Tensor] | None
    ) -> dict[str, Tensor]:
        """Choose the filters to keep."""
        check_arguments(scores, density, scope)
        generator = self.generator or Generator().manual_seed(0)
        masks = {
            name: torch.ones_like(score, dtype=torch.bool) if kept is None else kept[name].clone()
            for name, score in scores.items()
        }
        for names in [[name] for name in scores] if scope == "local" else [list(scores)]:
            self._prune(names, scores, masks, density, generator)
        return masks

    def count_misfits(self, weight: Tensor) -> int:
        """Count the filters that have lost some of their weights, but not all."""
        kept, size = weight.flatten(1).count_nonzero(1), weight[0].numel()
        return int(((kept > 0) & (kept < size)).sum())

    def _prune(
        self,
        names: list[str],
        scores: Mapping[str, Tensor],
        masks: dict[str, Tensor],
        density: float,
        generator: Generator,
    ) -> None:
        """Remove filters of some layers until the number of weights is as close as possible to the wanted one."""
        sums = torch.cat([(scores[name] * masks[name]).flatten(1).sum(1) for name in names]).cpu()
        sizes = torch.cat([masks[name].flatten(1).sum(1) for name in names]).tolist()
        places = [(name, number) for name in names for number in range(len(scores[name]))]
        left = {name: int(masks[name].flatten(1).any(1).sum()) for name in names}
        wanted = count_weights(sum(scores[name].numel() for name in names), density)
        n_kept = sum(sizes)
        # A random order before a stable sort draws among equal sums.
        shuffled = torch.randperm(len(sums), generator=generator)
        for place in shuffled[sums[shuffled].sort(stable=True).indices].tolist():
            name, number = places[place]
            size = sizes[place]
            if n_kept <= wanted:
                break
            if size == 0 or left[name] == 1:
                continue
            if 2 * (n_kept - wanted) < size:  # Without this filter the number would be farther off.
                break
            masks[name][number] = False
            left[name] -= 1
            n_kept -= size
        if n_kept - wanted > max(sizes, default=0):
            raise SettingError(
                f"density: {density:.4g} is not allowed with selection filter: each layer keeps at least one filter, "
                f"which are {n_kept} weights instead of {wanted}"
            )


register("selection", "filter")(WholeFilters())
