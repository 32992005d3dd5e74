"""Plan which figures and tables a study has, and which runs each of them shows.

`plots`, `curves` and `tables` register one kind of figure for each module of `figures.plots` and `figures.tables`. A
kind from outside registers itself with `register("figure", "mine")` and is planned like the others. This package
imports from `settings`, `results` and `foundation`. Importing it must never load torch, matplotlib or pandas, and only
its module `plan` loads the settings, because drawing does not need them.
"""

from anytime_pruning.figures.catalog import curves, external, plots, tables  # noqa: F401 (they register their kinds)
from anytime_pruning.figures.catalog.kind import Contents, Figure, FigureKind, PlotKind, TableKind
from anytime_pruning.figures.catalog.study_runs import StudyRuns

__all__ = ["Contents", "Figure", "FigureKind", "PlotKind", "StudyRuns", "TableKind"]
