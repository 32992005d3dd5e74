"""Score and select in as many rounds as a pruner wants."""

from torch import Tensor, nn

from anytime_pruning.foundation.errors import DivergenceError
from anytime_pruning.machine.devices import autocast
from anytime_pruning.machine.randomness import make_generator
from anytime_pruning.pruning.enforcement import apply_masks
from anytime_pruning.pruning.masks import Masks
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.pruning.pruners import rounds_of, score
from anytime_pruning.pruning.selection import select_masks
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.stream.images import ImageSet


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
