"""Score the prunable weights of a network by a registered pruner, and restore the network afterwards."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import TypeVar, cast

import torch
from torch import Generator, Tensor, nn

from anytime_pruning.foundation.errors import SettingError, show
from anytime_pruning.foundation.registry import lookup
from anytime_pruning.machine.preservation import preserved, want_gradients
from anytime_pruning.models.lazy import has_lazy_layers, materialize
from anytime_pruning.pruning.prunable import pin_prunable
from anytime_pruning.pruning.returned import describe_misfit

Batches = Iterable[tuple[Tensor, Tensor]]
Criterion = TypeVar("Criterion", bound=Callable[..., dict[str, Tensor]])


def in_rounds(rounds: int) -> Callable[[Criterion], Criterion]:
    """Mark a pruner that prunes to a density in several rounds, with new scores in each round."""

    def mark(criterion: Criterion) -> Criterion:
        setattr(criterion, "rounds", rounds)  # noqa: B010  (a function has no declared attribute of this name)
        return criterion

    return mark


def rounds_of(pruner: str) -> int:
    """Return the number of rounds in which a pruner prunes to a density; 1 for a pruner without a mark."""
    return cast(int, getattr(lookup("pruner", pruner), "rounds", 1))


def score(model: nn.Module, pruner: str, batches: Batches, generator: Generator | None = None) -> dict[str, Tensor]:
    """Score every prunable weight of a network, leaving the network exactly as it was.

    Only the layers of a lazy network stay as the first image has made them.

    Args:
        model: any module; the weights that `set_prunable` chose are scored, or else those of its convolutions.
        pruner: a registered criterion, such as `snip`.
        batches: images [B, C, H, W] and labels int64 [B], on the model's device; data-free pruners do not read them.
        generator: random generator for pruners that draw; None means a generator with a fixed seed.

    Returns:
        Scores by parameter name, in the shapes of the weights; weights with higher scores are kept.

    Raises:
        SettingError: the pruner is not registered, gets no image, does not return a mapping with one dense tensor of
            real scores for each prunable weight, or gives every weight the same score; or the network has no prunable
            weight.
    """
    criterion = lookup("pruner", pruner)
    given = _ForPruner(batches, pruner)
    if has_lazy_layers(model):
        materialize(model, given.first()[0][:1])
    with preserved(model):
        # The choice must not change when frozen weights are made to require a gradient.
        weights = pin_prunable(model)
        if not weights:
            raise SettingError(
                "prunable: the network has no weight that may be pruned, such as that of a convolution that is not "
                "frozen; choose other layers by set_prunable, or by the settings prunable and keep"
            )
        want_gradients(model)
        returned = criterion(model, given, generator if generator is not None else Generator().manual_seed(0))
        # Scores may share memory with the network, which is restored.
        scores = {name: part.detach().clone() for name, part in _checked(returned, weights, pruner).items()}
    check_informative(scores, {}, pruner)
    return scores


def _checked(returned: object, weights: Mapping[str, Tensor], pruner: str) -> Mapping[str, Tensor]:
    """Return what a pruner returned, if it is a score for each weight.

    Raises:
        SettingError: it is not; the message says what the pruner returned.
    """
    wanted = "wanted: {parameter name: score}, with a dense tensor of real numbers for each prunable weight"
    start = f"pruner: {pruner!r} is not allowed: it returns"
    if not isinstance(returned, Mapping):
        raise SettingError(f"{start} a {type(returned).__name__}; {wanted}")
    for name, weight in weights.items():
        if name not in returned:
            raise SettingError(f"{start} no score for {name}; {wanted}")
        if misfit := describe_misfit(returned[name], weight):
            shape = f"{list(weight.shape)} on {weight.device}"
            raise SettingError(f"{start} {misfit} for {name}; {wanted}, here of shape {shape}")
    if unknown := [name for name in returned if name not in weights]:
        raise SettingError(f"{start} a score for {show(unknown[0])}, which is no prunable weight; {wanted}")
    return returned


def check_informative(scores: Mapping[str, Tensor], masks: Mapping[str, Tensor], pruner: str) -> None:
    """Check that scores say anything about the weights that compete: they are not all equal.

    Args:
        scores: scores by parameter name.
        masks: bool masks of the weights that compete; empty if all weights do.
        pruner: name of the pruner, for the message.

    Raises:
        SettingError: two or more weights compete, and all of them have the same score.
    """
    competing = [score[masks[name]] if masks else score.flatten() for name, score in scores.items()]
    values = torch.cat([part.flatten() for part in competing])
    if len(values) < 2 or not torch.isfinite(values[0]) or (values != values[0]).any():
        return
    cause = (
        "no gradient reaches these layers, because activations saturate, a factor such as the gamma of a batch norm is "
        "zero, a layer before is empty, or the logits do not depend on them"
        if values[0] == 0
        else "all of these weights have the same value"
    )
    raise SettingError(
        f"pruner: {pruner!r} is not allowed here: it gives all {len(values):,} weights the score "
        f"{float(values[0]) + 0.0:g}, which says nothing about them; likely {cause}; choose another pruner, such as "
        "magnitude"
    )


def layers_without_score(scores: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> list[str]:
    """Return the names of layers whose scores are all zero; a layer that masks have emptied does not count."""
    names = []
    for name, score in scores.items():
        competing = score[masks[name]] if masks else score
        if competing.numel() and not competing.any():
            names.append(name)
    return names


class _ForPruner:
    """Hands out batches to a pruner, and raises an error if there are none."""

    def __init__(self, batches: Batches, pruner: str):
        self._batches, self._pruner = batches, pruner

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        n_images = 0
        for images, labels in self._batches:
            n_images += len(images)
            yield images, labels
        if n_images == 0:
            raise SettingError(
                f"pruner: {self._pruner} needs images to score on, but no image was given (an iterator gives its "
                "batches only once)"
            )

    def first(self) -> tuple[Tensor, Tensor]:
        """Return the first batch, which a later iteration gives once more."""
        iterator = iter(self)
        batch = next(iterator)
        # A list can begin again, but an iterator cannot.
        if iter(self._batches) is self._batches:
            self._batches = chain([batch], self._batches)
        return batch
