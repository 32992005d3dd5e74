"""Defines what every selection offers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor


class Selection(ABC):
    """Chooses which weights stay, given a score for each weight and a density."""

    @abstractmethod
    def select(
        self, scores: Mapping[str, Tensor], density: float, scope: str, kept: Mapping[str, Tensor] | None
    ) -> dict[str, Tensor]:
        """Choose the weights that stay.

        Args:
            scores: by parameter name, in the shapes of the weights; weights with higher scores are kept.
            density: share of all weights that remain, in (0, 1].
            scope: `global`, one ranking of all weights; or `local`, each layer to the same density.
            kept: bool masks of an earlier selection, in which the new masks nest; None if there was none.

        Returns:
            Bool masks by parameter name; True is kept.

        Raises:
            SettingError: a value is out of range.
            DivergenceError: a score is not a number.
        """

    @abstractmethod
    def count(self, n_prunable: int, density: float) -> int:
        """Say exactly how many of `n_prunable` weights this selection keeps at a density."""
