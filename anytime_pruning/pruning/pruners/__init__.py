"""Pruners: a file for each scoring criterion, imported here so that they are registered.

A pruner is a function (model, batches, generator) -> {parameter name: score}, higher is kept. It may use the network
freely: `score` puts everything back. Its attribute `rounds`, 1 if absent, says in how many steps it wants to prune to a
density, each scored anew (`pruning.py`).
"""

from collections.abc import Iterable

from torch import Generator, Tensor, nn

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.registry import lookup
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.pruning.pruners import grasp, magnitude, random, snip, synflow  # noqa: F401
from anytime_pruning.pruning.pruners.preserve import preserved


def score(
    model: nn.Module, pruner: str, batches: Iterable[tuple[Tensor, Tensor]], generator: Generator | None = None
) -> dict[str, Tensor]:
    """Score every prunable weight of a network, leaving the network exactly as it was.

    Args:
        model: any module; its convolutions are scored.
        pruner: a registered criterion, such as `snip`.
        batches: images [B, C, H, W] and labels int64 [B], on the model's device; data-free pruners do not read them.
        generator: for pruners that draw; None draws from a fixed seed.

    Returns:
        Scores by parameter name, in the shapes of the weights; the higher, the rather kept.

    Raises:
        SettingError: the pruner is not registered, or does not give one score for each prunable weight.
    """
    criterion = lookup("pruner", pruner)
    with preserved(model):
        scores = criterion(model, batches, generator if generator is not None else Generator().manual_seed(0))
    expected = {name: weight.shape for name, weight in prunable_weights(model).items()}
    found = {name: getattr(tensor, "shape", None) for name, tensor in scores.items()} if scores else {}
    if found != expected:
        wrong = next(name for name in {**expected, **found} if expected.get(name) != found.get(name))
        raise SettingError(
            f"pruner: {pruner!r} gives scores of shape {found.get(wrong)} for {wrong}, expected {expected.get(wrong)}"
        )
    return scores


def rounds_of(pruner: str) -> int:
    """How often a pruner wants to score and select on its way to a density: its attribute `rounds`, else once."""
    return getattr(lookup("pruner", pruner), "rounds", 1)
