"""Define the interface of selections, and check what is asked of one."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Self

import torch
from torch import Generator, Tensor

from anytime_pruning.foundation.errors import DivergenceError, SettingError, show
from anytime_pruning.foundation.registry import lookup

SCOPES = ("global", "local")


def make_selection(name: str, pattern: str) -> "Selection":
    """Return the selection that is registered under a name, for a pattern such as `2:4`.

    Raises:
        SettingError: the name is not registered, or what has the name is no selection.
    """
    selection = lookup("selection", name)
    if not isinstance(selection, Selection):
        raise SettingError(
            f"selection: {name!r} is not allowed: it is registered as {show(selection)}; wanted: an object of a "
            "subclass of Selection"
        )
    n, m = (int(part) for part in pattern.split(":"))
    return selection.with_pattern(n, m)


class Selection(ABC):
    """Chooses which weights to keep, given a score for each weight and a density.

    Attributes:
        generator: CPU generator that draws among weights with equal scores; None means one with a fixed seed.
        removes_filters: whether masks remove whole filters, whose biases and batch norms then go with them.
    """

    generator: Generator | None = None
    removes_filters = False

    def drawing_by(self, generator: Generator) -> Self:
        """Return this selection with a generator for its draws."""
        selection = copy.copy(self)
        selection.generator = generator
        return selection

    def with_pattern(self, n: int, m: int) -> Self:
        """Return this selection for a pattern N:M; a selection without patterns returns itself."""
        return self

    def accepts(self, weight: Tensor) -> bool:
        """Return whether a weight can be pruned by this selection; the weights of other layers are left alone."""
        return True

    def count_misfits(self, weight: Tensor) -> int:
        """Count the groups of a pruned weight that this selection cannot have left so; 0 for one without groups."""
        return 0

    @abstractmethod
    def select(
        self,
        scores: Mapping[str, Tensor],
        density: float,
        scope: str,
        kept: Mapping[str, Tensor] | None,
    ) -> dict[str, Tensor]:
        """Choose the weights to keep.

        Args:
            scores: scores by parameter name, in the shapes of the weights; weights with higher scores are kept.
            density: share of all weights to keep, in (0, 1].
            scope: `global` ranks all weights together; `local` keeps the same density in each layer.
            kept: bool masks of an earlier selection, in which the new masks nest; None before the first selection.

        Returns:
            Bool masks by parameter name; True is kept.

        Raises:
            SettingError: a value is out of range.
            DivergenceError: a score is not a number.
        """


def check_asked(density: float, scope: str) -> None:
    """Check what is asked of a selection.

    Raises:
        SettingError: density or scope is out of range.
    """
    if not 0 < density <= 1:
        raise SettingError(f"density: {density} is not allowed: it must be in (0, 1]")
    if scope not in SCOPES:
        raise SettingError(f"scope: {scope!r} is not known; allowed: {', '.join(SCOPES)}")


def check_arguments(scores: Mapping[str, Tensor], density: float, scope: str) -> None:
    """Check the arguments of a selection.

    Raises:
        SettingError: density or scope is out of range.
        DivergenceError: a score is not a number.
    """
    check_asked(density, scope)
    for name, score in scores.items():
        if torch.isnan(score).any():
            raise DivergenceError(f"scores: {name} has scores that are not a number")
