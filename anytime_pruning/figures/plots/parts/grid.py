"""Arrange panels in columns side by side, and put columns that do not fit into further blocks below."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from anytime_pruning.figures.style import WIDTH


@dataclass(frozen=True)
class PanelGrid:
    """Holds the panels of a figure.

    Attributes:
        figure: the figure that holds the panels.
        axes: [blocks * n_rows, width] panels, including panels without content.
        n_columns: number of columns with content, in all blocks together.
        n_rows: panels in each column.
    """

    figure: Figure
    axes: NDArray[np.object_]
    n_columns: int
    n_rows: int

    @property
    def width(self) -> int:
        """Return the number of columns side by side."""
        return int(self.axes.shape[1])

    @property
    def n_blocks(self) -> int:
        """Return the number of blocks, one below the other."""
        return int(self.axes.shape[0]) // self.n_rows

    def column(self, number: int) -> list[Axes]:
        """Return the panels of a column from top to bottom; columns are counted from 0 through all blocks."""
        block, place = divmod(number, self.width)
        return list(self.axes[block * self.n_rows : (block + 1) * self.n_rows, place])

    def is_leftmost(self, number: int) -> bool:
        """Return whether a column is the leftmost one of its block."""
        return number % self.width == 0

    def row(self, number: int) -> list[Axes]:
        """Return the panels with content of one row of the columns, from all blocks."""
        return [self.column(column)[number] for column in range(self.n_columns)]

    def lowest(self) -> list[Axes]:
        """Return the lowest panel with content at each of the places side by side."""
        return [self.column(column)[-1] for column in range(self.n_columns)[-self.width :]]

    def share_scales(self) -> None:
        """Give each row of the columns one vertical scale, and numbers only to the leftmost and the lowest panels."""
        for number in range(self.n_rows):
            match_scales(self.row(number))
            for column, axis in enumerate(self.row(number)):
                axis.tick_params(labelleft=self.is_leftmost(column))
        for axis in self.lowest():
            axis.tick_params(labelbottom=True)

    def hide_unused(self) -> None:
        """Hide the panels without content, which are the last ones of the last block."""
        for number in range(self.n_columns, self.n_blocks * self.width):
            for axis in self.column(number):
                axis.set_visible(False)


def match_scales(panels: Iterable[Axes]) -> tuple[float, float]:
    """Give panels the same vertical scale, which covers all of them, and return it."""
    panels = list(panels)
    limits = [axis.get_ylim() for axis in panels]
    low, high = min(low for low, _ in limits), max(high for _, high in limits)
    for axis in panels:
        axis.set_ylim(low, high)
    return low, high


def make_grid(
    n_columns: int,
    n_rows: int,
    max_width: int,
    height: tuple[float, float],
    **share: bool | Literal["row", "col"],
) -> PanelGrid:
    """Make a figure with a grid of panels.

    Args:
        n_columns: number of columns with content.
        n_rows: panels in each column.
        max_width: largest number of columns side by side.
        height: height of a block, and height of everything else in the figure, both in inches.
        share: `sharex` and `sharey` of `matplotlib.pyplot.subplots`.
    """
    width = min(max_width, n_columns)
    n_blocks = -(-n_columns // width)
    options: dict[str, Any] = {"squeeze": False, "layout": "constrained", **share}
    figure, axes = plt.subplots(n_rows * n_blocks, width, figsize=(WIDTH, height[0] * n_blocks + height[1]), **options)
    grid = PanelGrid(figure, axes, n_columns, n_rows)
    grid.hide_unused()
    return grid
