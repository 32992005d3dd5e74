"""Choose masks for a network: score its weights on images and select by a density, in one round or several."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anytime_pruning.foundation.errors import DivergenceError
from anytime_pruning.foundation.registry import lookup
from anytime_pruning.machine.devices import autocast
from anytime_pruning.machine.randomness import derive_seed, make_generator
from anytime_pruning.pruning import selections  # noqa: F401  (selections register themselves)
from anytime_pruning.pruning.enforcement import apply_masks
from anytime_pruning.pruning.masks import Masks, count_masked
from anytime_pruning.pruning.prunable import count_prunable, prunable_weights
from anytime_pruning.pruning.pruners import rounds_of, score
from anytime_pruning.stream.images import ImageSet


@dataclass(frozen=True)
class ScoringOptions:
    """Holds the options of scoring and selection.

    Attributes:
        pruner: name of the registered criterion that scores weights.
        selection: name of the registered way to choose weights by their scores.
        scope: `global` ranks all weights together; `local` ranks the weights of each layer separately.
        batch_size: images in one batch for scoring.
        precision: `float32` or `bfloat16`.
        seed: seed of the run, from which the generators of pruners are derived.
    """

    pruner: str
    selection: str
    scope: str
    batch_size: int
    precision: str
    seed: int


class MaskChooser:
    """Chooses masks for one network by its scores on one training set.

    Args:
        model: the network that is pruned and trained.
        data: the training set.
        options: how weights are scored and selected.
        build_afresh: a function that takes a seed and returns the same architecture with the initial weights of this
            seed.
    """

    def __init__(
        self, model: nn.Module, data: ImageSet, options: ScoringOptions, build_afresh: Callable[[int], nn.Module]
    ):
        self.model, self.data, self.options = model, data, options
        self._build_afresh = build_afresh

    def keeps_fewer(self, density: float, masks: Masks) -> bool:
        """Return whether a density asks for fewer weights than the masks keep now."""
        n_prunable = count_prunable(self.model)
        wanted: int = lookup("selection", self.options.selection).count(n_prunable, density)
        return wanted < count_masked(masks, n_prunable)

    def choose(self, network: nn.Module, masks: Masks, density: float, sample: Tensor, t: int) -> Masks:
        """Score and select, in as many rounds as the pruner asks for; each round prunes by the same factor.

        In the second and later rounds, the pruner scores weights to which the masks of the round before are applied.
        `network` is therefore changed.

        Args:
            network: the network to score, with the architecture of the model.
            masks: earlier masks, in which the new masks nest; empty before the first pruning.
            density: share of all prunable weights to keep after the last round, in (0, 1].
            sample: int64 [n], indices of the images to score on; these images are not augmented.
            t: index of the megabatch, for messages and random draws.

        Returns:
            Bool masks by parameter name.

        Raises:
            DivergenceError: a score is not a number.
        """
        options, rounds = self.options, rounds_of(self.options.pruner)
        n_prunable = count_prunable(network)
        before = count_masked(masks, n_prunable) / n_prunable
        generator = make_generator(options.seed, f"pruner {t}")
        selection = lookup("selection", options.selection)
        for k in range(1, rounds + 1):
            with autocast(self.data.images.device, options.precision):
                batches = self.data.batches(sample, options.batch_size)
                scores = score(network, options.pruner, batches, generator)
            # The last round uses the density itself, because the power could differ from it by a rounding error.
            asked = density if k == rounds else before * (density / before) ** (k / rounds)
            try:
                masks = selection.select(scores, asked, options.scope, masks or None)
            except DivergenceError as error:
                raise DivergenceError(f"{error}, at megabatch {t}; no results were written") from None
            if k < rounds:
                apply_masks(network, masks)
        return masks

    def copy_network(self, fresh_weights_for: str | None = None) -> nn.Module:
        """Copy the network, so that scoring the copy leaves the network alone.

        Args:
            fresh_weights_for: name of a purpose. The prunable weights are initialised afresh from the run's seed and
                this name, and everything else is copied. None copies the prunable weights as well.
        """
        network = copy.deepcopy(self.model)
        if fresh_weights_for is not None:
            fresh = prunable_weights(self._build_afresh(derive_seed(self.options.seed, fresh_weights_for)))
            with torch.no_grad():
                for name, weight in prunable_weights(network).items():
                    weight.copy_(fresh[name])
        return network
