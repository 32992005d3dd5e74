"""Define the interface of selections."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Self

from torch import Generator, Tensor


class Selection(ABC):
    """Chooses which weights to keep, given a score for each weight and a density.

    Attributes:
        generator: CPU generator that draws among weights with equal scores; None means one with a fixed seed.
    """

    generator: Generator | None = None

    def drawing_by(self, generator: Generator) -> Self:
        """Return this selection with a generator for its draws."""
        selection = copy.copy(self)
        selection.generator = generator
        return selection

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

    @abstractmethod
    def count(self, n_prunable: int, density: float) -> int:
        """Return exactly how many of `n_prunable` weights this selection keeps at a density."""
