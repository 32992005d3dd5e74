"""What happens to a network before it is trained on a megabatch: sample, score, select.

By the paper's protocol, or with the mask arithmetic of the released code.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from anytime_pruning.foundation.errors import DivergenceError
from anytime_pruning.machine.devices import autocast
from anytime_pruning.machine.randomness import derive_seed, make_generator
from anytime_pruning.pruning.masks import Masks, apply_masks, prunable_weights, select_masks
from anytime_pruning.pruning.pruners import rounds_of, score
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.stream.images import ImageSet
from anytime_pruning.stream.megabatches import Megabatch
from anytime_pruning.stream.replay import draw_pruning_sample, pruning_sample_count


def pruning_sample(settings: RunSettings, arrived: list[Megabatch], replayed: Tensor) -> Tensor:
    """pi_t, the training images to score on.

    The released protocol scores on the first samples of the stream at every megabatch: a share of M_1.

    Args:
        arrived: M_1 ... M_t.
        replayed: int64 [n], the training part of the replay-inclusive set at t.
    Returns:
        int64 [max(2, round(sample_frac * n))], where n counts the set that `protocol` and `prune_on` choose.
    """
    if settings.protocol == "released":
        first = arrived[0].train
        return first[: pruning_sample_count(len(first), settings.sample_frac)]
    current = arrived[-1]
    source = current.train if settings.prune_on == "megabatch" else replayed
    return draw_pruning_sample(
        source, settings.sample_frac, make_generator(settings.seed, f"pruning sample {current.t}")
    )


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


def _select(
    model: nn.Module, masks: Masks, density: float, data: ImageSet, sample: Tensor, settings: RunSettings, t: int
) -> Masks:
    """Score and select, in as many rounds as the pruner wants, each the same share of what the one before left.

    A pruner of several rounds sees the weights of each round with those before it pruned, so the network is masked.
    """
    rounds = rounds_of(settings.pruner)
    n_prunable = sum(weight.numel() for weight in prunable_weights(model).values())
    before = sum(int(mask.sum()) for mask in masks.values()) / n_prunable if masks else 1.0
    generator = make_generator(settings.seed, f"pruner {t}")
    for k in range(1, rounds + 1):
        with autocast(data.images.device, settings.precision):
            scores = score(model, settings.pruner, data.batches(sample, settings.batch_size), generator)
        # The last round's density exactly, which the power might miss by a rounding.
        asked = density if k == rounds else before * (density / before) ** (k / rounds)
        try:
            masks = select_masks(scores, asked, settings.scope, masks or None)
        except DivergenceError as error:
            raise DivergenceError(f"{error}, at megabatch {t}; no results were written") from None
        if k < rounds:
            apply_masks(model, masks)
    return masks


def _prune_as_released(
    model: nn.Module,
    masks: Masks,
    data: ImageSet,
    sample: Tensor,
    settings: RunSettings,
    t: int,
    build_afresh: Callable[[int], nn.Module],
) -> Masks:
    """Masks as the published code computes them, not as the paper says; the given ones where nothing changes.

    From the second megabatch on, the weights that are scored are not the trained ones: convolutions are initialised
    afresh, beside the trained batch norm and classifier. All weights compete for the scheduled density, those pruned
    before, too, and what is pruned is the union of then and now: densities multiply. With scope local the density is
    the final one at every megabatch.

    Source: landskape-ai/Progressive-Pruning at commit 7840633, as observed; the README has the list.
    """
    densities = settings.densities()
    if densities[t - 1] >= (densities[t - 2] if t > 1 else 1):
        return masks
    scored = copy.deepcopy(model)
    if t > 1:
        fresh = prunable_weights(build_afresh(derive_seed(settings.seed, f"released weights {t}")))
        with torch.no_grad():
            for name, weight in prunable_weights(scored).items():
                weight.copy_(fresh[name])
    density = densities[-1] if settings.scope == "local" else densities[t - 1]
    chosen = _select(scored, {}, density, data, sample, settings, t)
    return {name: mask & masks[name] if masks else mask for name, mask in chosen.items()}
