"""What happens to a network before it is trained on a megabatch: sample, score, select.

By the paper's protocol, or with the mask arithmetic of the released code.
"""

from collections.abc import Callable

from torch import Tensor, nn

from anytime_pruning.pruning.enforcement import apply_masks
from anytime_pruning.pruning.masks import Masks
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.pruning.released import _prune_as_released
from anytime_pruning.pruning.rounds import _select
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.stream.images import ImageSet


def prune(
    model: nn.Module,
    masks: Masks,
    density: float,
    data: ImageSet,
    sample: Tensor,
    settings: RunSettings,
    t: int,
    build_afresh: Callable[[int], nn.Module],
) -> Masks:
    """Prune the current network before it is trained on a megabatch, in place.

    Paper: scores of the network's current weights decide which of those that are left stay, `density` of all.
    Released: `_prune_as_released`.

    Args:
        masks: of the megabatch before; empty before the first pruning.
        density: share of the prunable weights that are to remain.
        sample: int64 [n], pi_t; scored without augmentation, in batches as training has them.
        t: index of the megabatch, which pruners that draw depend on.
        build_afresh: a network with the initial weights of a seed; the released protocol scores such weights.

    Returns:
        Masks nested in the given ones. The given ones if the network is as sparse as that already, or is not pruned.
    """
    if settings.protocol == "released":
        masks = _prune_as_released(model, masks, data, sample, settings, t, build_afresh)
    else:
        n_prunable = sum(weight.numel() for weight in prunable_weights(model).values())
        n_left = sum(int(mask.sum()) for mask in masks.values()) if masks else n_prunable
        if round(density * n_prunable) >= n_left:
            return masks
        masks = _select(model, masks, density, data, sample, settings, t)
    apply_masks(model, masks)
    return masks
