"""Compute masks as the published code does."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from anytime_pruning.machine.randomness import derive_seed
from anytime_pruning.pruning.masks import Masks
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.pruning.rounds import _select
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.stream.images import ImageSet


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
