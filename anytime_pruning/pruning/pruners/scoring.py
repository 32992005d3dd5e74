"""Score the prunable weights of a network by a registered pruner, and restore the network afterwards."""

from collections.abc import Callable, Iterable
from typing import TypeVar, cast

from torch import Generator, Tensor, nn

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.registry import lookup
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.pruning.pruners.preserve import preserved

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

    Args:
        model: any module; its convolutions are scored.
        pruner: a registered criterion, such as `snip`.
        batches: images [B, C, H, W] and labels int64 [B], on the model's device; data-free pruners do not read them.
        generator: random generator for pruners that draw; None means a generator with a fixed seed.

    Returns:
        Scores by parameter name, in the shapes of the weights; weights with higher scores are kept.

    Raises:
        SettingError: the pruner is not registered, or does not give one score for each prunable weight.
    """
    criterion = lookup("pruner", pruner)
    with preserved(model):
        scores: dict[str, Tensor] = criterion(
            model, batches, generator if generator is not None else Generator().manual_seed(0)
        )
    expected = {name: weight.shape for name, weight in prunable_weights(model).items()}
    found = {name: getattr(tensor, "shape", None) for name, tensor in scores.items()} if scores else {}
    if found != expected:
        wrong = next(name for name in {**expected, **found} if expected.get(name) != found.get(name))
        raise SettingError(
            f"pruner: {pruner!r} gives scores of shape {found.get(wrong)} for {wrong}, expected {expected.get(wrong)}"
        )
    return scores
