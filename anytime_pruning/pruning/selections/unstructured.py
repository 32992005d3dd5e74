"""Select single weights by their scores, without any structure, as the paper does."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.metrics import count_weights
from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.selections.base import Selection, check_arguments


def select_masks(
    scores: Mapping[str, Tensor],
    density: float,
    scope: str = "global",
    kept: Mapping[str, Tensor] | None = None,
    generator: Generator | None = None,
) -> dict[str, Tensor]:
    """Keep the weights with the highest scores, exactly round(density * N) of all N prunable weights.

    Args:
        scores: scores by parameter name, of any shape; weights with higher scores are kept.
        density: share of all N weights to keep, in (0, 1].
        scope: `global` ranks all weights together; `local` keeps the same density in each layer. With `local` a layer
            keeps its share rounded down, and the layers with the largest remainders keep one weight more, so that the
            total is exact.
        kept: bool masks of an earlier selection; only weights kept there can be kept now, so masks nest.
        generator: CPU generator that draws among weights with equal scores; None means one with a fixed seed.

    Returns:
        Bool masks by parameter name, in the shapes and on the devices of the scores; True is kept. If only some of
        several weights with equal scores can be kept, each of these weights has the same chance, whatever its layer.

    Raises:
        SettingError: density or scope is out of range, or more weights are asked for than are still kept.
        DivergenceError: a score is NaN.
    """
    check_arguments(scores, density, scope)
    if kept is None:
        kept = {name: torch.ones_like(score, dtype=torch.bool) for name, score in scores.items()}
    if generator is None:
        generator = Generator().manual_seed(0)
    n_keep = count_weights(sum(score.numel() for score in scores.values()), density)
    n_kept = sum(int(kept[name].sum()) for name in scores)
    if n_keep > n_kept:
        raise SettingError(f"density: {density} is not allowed: it keeps {n_keep} weights, but only {n_kept} are left")
    if scope == "local":
        counts = _share_out(scores, kept, density, n_keep)
        return {
            name: _keep_highest(score.flatten(), kept[name].flatten(), counts[name], generator).view_as(score)
            for name, score in scores.items()
        }
    flat = torch.cat([score.flatten() for score in scores.values()])
    mask = _keep_highest(flat, torch.cat([kept[name].flatten() for name in scores]), n_keep, generator)
    parts = torch.split(mask, [score.numel() for score in scores.values()])
    return {name: part.view_as(score) for (name, score), part in zip(scores.items(), parts)}


class Unstructured(Selection):
    """Keeps single weights by their own scores; see `select_masks`."""

    def select(
        self,
        scores: Mapping[str, Tensor],
        density: float,
        scope: str,
        kept: Mapping[str, Tensor] | None,
    ) -> dict[str, Tensor]:
        """Choose the weights to keep, as `select_masks` does."""
        return select_masks(scores, density, scope, kept, self.generator)


register("selection", "unstructured")(Unstructured())


def _keep_highest(scores: Tensor, kept: Tensor, count: int, generator: Generator) -> Tensor:
    """Return a bool mask of the `count` highest scores among the kept ones; all tensors are 1-d.

    A draw decides among scores that equal the lowest kept score. Without a draw, the weights of the first layers would
    win, and networks with many equal scores would lose their last layers.
    """
    mask = torch.zeros_like(kept)
    if count == 0:
        return mask
    candidates = kept.nonzero().squeeze(1)
    values = scores[candidates]
    # kthvalue finds the count-th highest value without a sort. Every score above it stays.
    threshold = values.kthvalue(len(values) - count + 1).values
    above = values > threshold
    equal = (values == threshold).nonzero().squeeze(1)
    missing = count - int(above.sum())
    if missing < len(equal):
        equal = equal[torch.randperm(len(equal), generator=generator)[:missing].to(equal.device)]
    mask[candidates[above]] = True
    mask[candidates[equal]] = True
    return mask


def _share_out(scores: Mapping[str, Tensor], kept: Mapping[str, Tensor], density: float, n_keep: int) -> dict[str, int]:
    """Divide `n_keep` weights among the layers, so that no layer keeps more weights than it still has."""
    quotas = {name: density * score.numel() for name, score in scores.items()}
    room = {name: int(kept[name].sum()) for name in scores}
    counts = {name: min(int(quota), room[name]) for name, quota in quotas.items()}
    # The largest remainder comes first. The sort is stable, so equal remainders keep the order of the layers.
    order = sorted(quotas, key=lambda name: int(quotas[name]) - quotas[name])
    missing = n_keep - sum(counts.values())
    while missing > 0:
        for name in order:
            if missing > 0 and counts[name] < room[name]:
                counts[name] += 1
                missing -= 1
    return counts
