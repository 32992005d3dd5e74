"""Describe kinds of figures and tables, and the planned figures that are made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from anytime_pruning.foundation.errors import DataError
from anytime_pruning.foundation.registry import lookup
from anytime_pruning.results.layout import MISSING, PICTURE_FILES, TABLE_FILES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Picture

    from anytime_pruning.figures.catalog.study_runs import StudyRuns


@dataclass(frozen=True)
class Contents:
    """Holds the contents of one figure of a kind.

    Attributes:
        runs: names of the runs that the figure shows.
        options: further arguments of the function that draws the figure, as JSON values.
    """

    runs: list[str]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FigureKind:
    """Defines one kind of figure or table; a kind is registered as a "figure" under its name.

    Attributes:
        tables: names of the collected tables that are shown, without suffix; none for a diagram without results.
        category: heading under which the report shows the figure.
        caption: one paragraph of reStructuredText that explains the figure to a reader of the report.
        plan: takes the runs of a study and returns the figures of this kind by file name without suffix.
    """

    tables: tuple[str, ...]
    category: str
    caption: str
    plan: Callable[[StudyRuns], dict[str, Contents]]

    # The endings of a figure's files, and the ending of the file that names missing runs instead.
    files: ClassVar[tuple[str, ...]]
    missing_file: ClassVar[str]


@dataclass(frozen=True, kw_only=True)
class PlotKind(FigureKind):
    """Defines a kind of picture.

    Attributes:
        draw: takes the rows of each collected table that belong to the runs, and the options by name. Returns the
            picture and its numbers. Imports matplotlib only when it is called.
    """

    draw: Callable[..., tuple[Picture, pd.DataFrame]]

    files = PICTURE_FILES
    missing_file = f"{MISSING}png"


@dataclass(frozen=True, kw_only=True)
class TableKind(FigureKind):
    """Defines a kind of table.

    Attributes:
        tabulate: takes the rows of each collected table that belong to the runs, and the options by name. Returns the
            cells as texts, a note below the table, and its numbers. Imports pandas only when it is called.
    """

    tabulate: Callable[..., tuple[pd.DataFrame, str, pd.DataFrame]]

    files = TABLE_FILES
    missing_file = f"{MISSING}md"


@dataclass(frozen=True)
class Figure:
    """Describes one planned figure or table of a study.

    Attributes:
        draw: name of the figure's kind.
        tables: names of the collected tables, without suffix; none for a diagram.
        runs: names of the runs; the figure is drawn from all these runs or not at all.
        options: further arguments of the function that draws the figure.
        kinds: endings of the figure's files.
    """

    draw: str
    tables: tuple[str, ...]
    runs: list[str]
    options: dict[str, Any] = field(default_factory=dict)
    kinds: tuple[str, ...] = PlotKind.files

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Figure:
        """Return a figure from a mapping that `as_json` returned.

        Raises:
            DataError: an entry is missing or unknown.
        """
        try:
            return cls(**{**content, "tables": tuple(content["tables"]), "kinds": tuple(content["kinds"])})
        except (KeyError, TypeError) as error:
            raise DataError(f"a planned figure is not readable: {error}") from None

    def as_json(self) -> dict[str, Any]:
        """Return the figure as a mapping that can be written as JSON."""
        return asdict(self)

    @property
    def kind(self) -> FigureKind:
        """Return the kind of this figure.

        Raises:
            SettingError: no kind of this name is registered.
        """
        kind: FigureKind = lookup("figure", self.draw)
        return kind

    @property
    def category(self) -> str:
        """Return the heading under which the report shows this figure."""
        return self.kind.category

    @property
    def caption(self) -> str:
        """Return the paragraph that the report shows with this figure."""
        return self.kind.caption
