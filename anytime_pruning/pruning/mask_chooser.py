"""Choose masks for a network: score its weights on images and select by a density, in one round or several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.errors import DivergenceError, SettingError, name_some, show
from anytime_pruning.foundation.metrics import count_weights
from anytime_pruning.machine.devices import searching_for_full
from anytime_pruning.machine.kernels.bfloat16 import autocast
from anytime_pruning.machine.memory import working_on
from anytime_pruning.machine.preservation import preserved
from anytime_pruning.machine.randomness import make_generator
from anytime_pruning.pruning.enforcement import apply_masks
from anytime_pruning.pruning.masks import Masks, count_masked
from anytime_pruning.pruning.prunable import count_prunable
from anytime_pruning.pruning.pruners import check_informative, layers_without_score, rounds_of, score
from anytime_pruning.pruning.released_masks import draw_scoring_weights, score_all_weights, select_above_threshold
from anytime_pruning.pruning.returned import describe_misfit
from anytime_pruning.pruning.selections import make_selection
from anytime_pruning.stream.images import ImageSet


@dataclass(frozen=True)
class ScoringOptions:
    """Holds the options of scoring and selection.

    Attributes:
        pruner: name of the registered criterion that scores weights.
        selection: name of the registered way to choose weights by their scores.
        pattern: the pattern N:M of selections that have one, such as `2:4`.
        scope: `global` ranks all weights together; `local` ranks the weights of each layer separately.
        batch_size: images in one batch for scoring.
        precision: `float32` or `bfloat16`.
        augment: whether training images are cropped and flipped.
        seed: seed of the run, from which all generators are derived.
    """

    pruner: str
    selection: str
    pattern: str
    scope: str
    batch_size: int
    precision: str
    augment: bool
    seed: int


class MaskChooser:
    """Chooses masks for one network by its scores on one training set.

    Args:
        model: the network that is pruned and trained.
        data: the training set.
        options: how weights are scored and selected.

    Attributes:
        zero_score_layers: names of layers that had weights and whose scores were all zero at the last choice.
    """

    def __init__(self, model: nn.Module, data: ImageSet, options: ScoringOptions):
        self.model, self.data, self.options = model, data, options
        self.zero_score_layers: list[str] = []

    def keeps_fewer(self, density: float, masks: Masks) -> bool:
        """Return whether a density asks for fewer weights than the masks keep now."""
        n_prunable = count_prunable(self.model)
        return count_weights(n_prunable, density) < count_masked(masks, n_prunable)

    @working_on("scoring")
    def choose(self, masks: Masks, density: float, sample: Tensor, t: int) -> Masks:
        """Score and select, in as many rounds as the pruner asks for; each round prunes by the same factor.

        In the second and later rounds, the pruner scores weights to which the masks of the round before are applied.
        The model is therefore changed.

        Args:
            masks: earlier masks, in which the new masks nest; empty before the first pruning.
            density: share of all prunable weights to keep after the last round, in (0, 1].
            sample: int64 [n], indices of the images to score on; these images are not augmented.
            t: index of the megabatch, for messages and random draws.

        Returns:
            Bool masks by parameter name.

        Raises:
            DivergenceError: a score is not a number.
            SettingError: the scores say nothing about the weights, or the pruner cannot score this network.
        """
        network, options, rounds = self.model, self.options, rounds_of(self.options.pruner)
        n_prunable = count_prunable(network)
        before = count_masked(masks, n_prunable) / n_prunable
        generator, ties = self._generator(f"pruner {t}"), self._generator(f"equal scores {t}")
        selection = make_selection(options.selection, options.pattern).drawing_by(ties)
        for k in range(1, rounds + 1):
            with _naming_megabatch(t), autocast(self.data.images.device, options.precision):
                batches = searching_for_full(self.data.batches(sample, options.batch_size), options.batch_size)
                scores = score(network, options.pruner, batches, generator)
                if masks:  # `score` has compared the scores of all weights, but pruned weights compete no more
                    check_informative(scores, masks, options.pruner)
            if k == 1:
                self._note_zero_scores(scores, masks, t)
            # The last round uses the density itself, because the power could differ from it by a rounding error.
            asked = density if k == rounds else before * (density / before) ** (k / rounds)
            with _naming_megabatch(t):
                masks = _checked(selection.select(scores, asked, options.scope, masks or None), scores, options)
            if k < rounds:
                apply_masks(network, masks)
        return masks

    @working_on("scoring")
    def choose_as_released(self, masks: Masks, density: float, sample: Tensor, t: int, batch_size: int) -> Masks:
        """Choose masks with the arithmetic of the published code, on fresh weights; the network is left as it was.

        Args:
            masks: the masks in force; empty before the first pruning.
            density: share of all prunable weights to select, in (0, 1].
            sample: int64 [n], indices of the images to score on, in their order; these images are augmented as in
                training, if the options say so.
            t: index of the megabatch; from t = 2 on, convolutions are drawn afresh before they are scored.
            batch_size: images of every batch but the last; a single last image is a batch of its own.

        Returns:
            Bool masks by parameter name, nested in the given masks.

        Raises:
            DivergenceError: scores are not finite.
            SettingError: all scores are equal.
        """
        options, network = self.options, self.model
        augment_with = self._generator(f"released sample {t}") if options.augment else None
        batches = self.data.batches(sample, batch_size, augment_with, keeps_single_sample=True)
        with _naming_megabatch(t), preserved(network):
            if t > 1:
                draw_scoring_weights(network, self._generator(f"released weights {t}"))
            batches = searching_for_full(batches, batch_size)
            scores = score_all_weights(network, masks, batches, options.pruner, self._generator(f"pruner {t}"))
        self._note_zero_scores(scores, masks, t)
        selected = select_above_threshold(scores, masks, density, options.scope)
        return {name: mask & masks[name] if masks else mask for name, mask in selected.items()}

    def _note_zero_scores(self, scores: Mapping[str, Tensor], masks: Masks, t: int) -> None:
        """Remember and name the layers whose scores are all zero, because nothing but a draw decides about them."""
        self.zero_score_layers = layers_without_score(scores, masks)
        if self.zero_score_layers:
            warn(
                f"pruner {self.options.pruner}, megabatch {t}: all scores are 0 in "
                f"{name_some(self.zero_score_layers)}, so these layers lose their weights first, by a draw"
            )

    def _generator(self, purpose: str) -> Generator:
        return make_generator(self.options.seed, purpose)


def _checked(selected: object, scores: Mapping[str, Tensor], options: ScoringOptions) -> Masks:
    """Return what a selection returned, if it is a mask for each weight; whether the masks nest is checked later.

    Raises:
        SettingError: it is not; the message says what the selection returned.
    """
    start = f"selection: {options.selection!r} is not allowed: it returns"
    wanted = "wanted: {parameter name: mask}, with a bool tensor for each score, in its shape and on its device"
    if not isinstance(selected, dict):
        raise SettingError(f"{start} a {type(selected).__name__}; {wanted}")
    for name in {**scores, **selected}:
        if name not in selected or name not in scores:
            raise SettingError(f"{start} {'no' if name in scores else 'a'} mask for {show(name)}; {wanted}")
        if misfit := describe_misfit(selected[name], scores[name], (torch.bool,)):
            raise SettingError(f"{start} {misfit} for {name}; {wanted}")
    return selected


@contextmanager
def _naming_megabatch(t: int) -> Iterator[None]:
    """Add the megabatch to an error that ends the run."""
    try:
        yield
    except (DivergenceError, SettingError) as error:
        raise type(error)(f"{error}, at megabatch {t}; no results were written") from None
