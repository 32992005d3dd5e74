"""Select which weights stay, by score and density."""

from collections.abc import Mapping

import torch
from torch import Tensor

from anytime_pruning.foundation.errors import DivergenceError, SettingError
from anytime_pruning.pruning.masks import Masks


def select_masks(
    scores: Mapping[str, Tensor], density: float, scope: str = "global", kept: Mapping[str, Tensor] | None = None
) -> Masks:
    """Keep the weights with the highest scores, exactly round(density * N) of all N prunable weights.

    Args:
        scores: by parameter name, any shape; the higher, the rather kept.
        density: share of all N weights that remain, in (0, 1].
        scope: `global`, one ranking of all weights; or `local`, each layer to the same density. In `local` a layer
            keeps its share rounded down, and the layers with the largest remainders one weight more, so that the total
            is exact.
        kept: bool masks of an earlier selection; only weights kept there can be kept now, so masks nest.

    Returns:
        Bool masks (True is kept) by parameter name, in the shapes and on the devices of the scores. Among equal scores
        the ones that come first stay, so the result never depends on the sorting algorithm.

    Raises:
        SettingError: density or scope out of range, or more weights asked for than are still kept.
        DivergenceError: a score is NaN.
    """
    if not 0 < density <= 1:
        raise SettingError(f"density: {density} is not allowed: it must be in (0, 1]")
    if scope not in ("global", "local"):
        raise SettingError(f"scope: {scope!r} is not known; allowed: global, local")
    kept = (
        kept if kept is not None else {name: torch.ones_like(score, dtype=torch.bool) for name, score in scores.items()}
    )
    for name, score in scores.items():
        if torch.isnan(score).any():
            raise DivergenceError(f"scores: {name} has scores that are not a number")
    n_keep = round(density * sum(score.numel() for score in scores.values()))
    n_kept = sum(int(kept[name].sum()) for name in scores)
    if n_keep > n_kept:
        raise SettingError(f"density: {density} is not allowed: it keeps {n_keep} weights, but only {n_kept} are left")
    if scope == "local":
        counts = _share_out(scores, kept, density, n_keep)
        return {
            name: _keep_highest(score.flatten(), kept[name].flatten(), counts[name]).view_as(score)
            for name, score in scores.items()
        }
    flat = torch.cat([score.flatten() for score in scores.values()])
    mask = _keep_highest(flat, torch.cat([kept[name].flatten() for name in scores]), n_keep)
    parts = mask.split([score.numel() for score in scores.values()])
    return {name: part.view_as(score) for (name, score), part in zip(scores.items(), parts)}


def _keep_highest(scores: Tensor, kept: Tensor, count: int) -> Tensor:
    """Bool mask of the `count` highest of the kept scores; equal ones by position. All tensors are 1-d."""
    mask = torch.zeros_like(kept)
    if count == 0:
        return mask
    candidates = kept.nonzero().squeeze(1)
    values = scores[candidates]
    # The count-th highest value by selection, which needs no sort; then all above it, and the first of its equals.
    threshold = values.kthvalue(len(values) - count + 1).values
    above = values > threshold
    equal = (values == threshold).nonzero().squeeze(1)
    mask[candidates[above]] = True
    mask[candidates[equal[: count - int(above.sum())]]] = True
    return mask


def _share_out(scores: Mapping[str, Tensor], kept: Mapping[str, Tensor], density: float, n_keep: int) -> dict[str, int]:
    """How many weights each layer keeps, so that they sum to n_keep and no layer keeps more than it still has."""
    quotas = {name: density * score.numel() for name, score in scores.items()}
    room = {name: int(kept[name].sum()) for name in scores}
    counts = {name: min(int(quota), room[name]) for name, quota in quotas.items()}
    # Largest remainder first; the sort is stable, so equal remainders go by position.
    order = sorted(quotas, key=lambda name: int(quotas[name]) - quotas[name])
    missing = n_keep - sum(counts.values())
    while missing > 0:
        for name in order:
            if missing > 0 and counts[name] < room[name]:
                counts[name] += 1
                missing -= 1
    return counts
