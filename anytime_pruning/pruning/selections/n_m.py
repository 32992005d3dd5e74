"""Select N of every M weights along the input dimension, as kernels for structured sparsity need it."""

import copy
from collections.abc import Mapping
from typing import Self

import torch
from torch import Generator, Tensor

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.selections.base import Selection, check_arguments


class NOfM(Selection):
    """Keeps the N highest scores of a group, in as many groups as the density asks for; the other groups stay whole.

    A group is M weights of consecutive input channels that belong to one output channel and one place of the kernel.
    The groups that lose least, by the sum of the scores that they lose, come first. A group is never changed again, so
    masks nest. Layers whose input channels are no multiple of M cannot be pruned this way.

    Attributes:
        n, m: the pattern.

    Source: Mishra and others, "Accelerating Sparse Deep Neural Networks" (arXiv 2104.08378), for 2:4.
    """

    n, m = 2, 4

    def with_pattern(self, n: int, m: int) -> Self:
        """Return this selection for another pattern."""
        selection = copy.copy(self)
        selection.n, selection.m = n, m
        return selection

    def accepts(self, weight: Tensor) -> bool:
        """Return whether the input channels of a weight are a multiple of M."""
        return weight.dim() >= 2 and weight.shape[1] % self.m == 0

    def select(
        self, scores: Mapping[str, Tensor], density: float, scope: str, kept: Mapping[str, Tensor] | None
    ) -> dict[str, Tensor]:
        """Choose the weights to keep; the density is met up to half a group."""
        check_arguments(scores, density, scope)
        generator = self.generator or Generator().manual_seed(0)
        groups = {name: self._groups_of(score) for name, score in scores.items()}
        masks = {
            name: torch.ones_like(group, dtype=torch.bool) if kept is None else self._groups_of(kept[name])
            for name, group in groups.items()
        }
        layers = [[name] for name in groups] if scope == "local" else [list(groups)]
        for names in layers:
            self._prune(names, groups, masks, density, generator)
        return {name: self._as_weight(masks[name], score) for name, score in scores.items()}

    def count_misfits(self, weight: Tensor) -> int:
        """Count the groups that are neither whole nor have at most N weights."""
        kept = self._groups_of(weight).count_nonzero(1)
        return int(((kept > self.n) & (kept < self.m)).sum())

    def _prune(
        self,
        names: list[str],
        groups: Mapping[str, Tensor],
        masks: dict[str, Tensor],
        density: float,
        generator: Generator,
    ) -> None:
        """Give the pattern to so many more groups of some layers that their density is met."""
        scores, mask = (torch.cat([tensors[name] for name in names]) for tensors in (groups, masks))
        whole = mask.all(1).nonzero().squeeze(1)
        wanted = min(round(mask.numel() * (1 - density) / (self.m - self.n)), len(mask))
        missing = wanted - (len(mask) - len(whole))
        if missing > 0:
            # A random order before a stable sort draws among equal scores.
            order = torch.rand(len(whole), self.m, generator=generator).to(scores.device).argsort(1)
            drawn = scores[whole].gather(1, order).sort(dim=1, stable=True)
            losers = order.gather(1, drawn.indices[:, : self.m - self.n])
            losses = drawn.values[:, : self.m - self.n].sum(1)
            shuffled = torch.randperm(len(whole), generator=generator).to(scores.device)
            first = shuffled[losses[shuffled].sort(stable=True).indices[:missing]]
            mask[whole[first, None], losers[first]] = False
        for name, part in zip(names, torch.split(mask, [len(groups[name]) for name in names])):
            masks[name] = part

    def _groups_of(self, weight: Tensor) -> Tensor:
        """Return a weight [O, I, ...] as rows of M numbers of consecutive input channels."""
        if not self.accepts(weight):
            raise SettingError(
                f"selection: n_m is not allowed for a weight of shape {list(weight.shape)}: its input channels are no "
                f"multiple of {self.m}"
            )
        return weight.movedim(1, -1).reshape(-1, self.m)

    def _as_weight(self, mask: Tensor, weight: Tensor) -> Tensor:
        """Return rows of M numbers in the shape of the weight that they come from."""
        return mask.reshape(weight.movedim(1, -1).shape).movedim(-1, 1).contiguous()


register("selection", "n_m")(NOfM())
