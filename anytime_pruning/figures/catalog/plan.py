"""Plan the figures of a study from all registered kinds."""

from collections.abc import Iterable, Sequence

from anytime_pruning.figures.catalog.kind import Figure, FigureKind
from anytime_pruning.figures.catalog.study_runs import StudyRuns
from anytime_pruning.foundation.registry import lookup, names
from anytime_pruning.results.external import ExternalResult
from anytime_pruning.settings.study import Margins, PlannedRun


def plan_figures(
    runs: Iterable[PlannedRun],
    margins: Margins = Margins(),  # noqa: B008  (frozen)
    external: Sequence[ExternalResult] = (),
) -> dict[str, Figure]:
    """Return the figures and tables of a study.

    Args:
        runs: all runs of the study, whether or not they have results.
        margins: differences that have no practical meaning.
        external: results of other people's programs on streams of the study.

    Returns:
        The figures by file name without suffix.

    Raises:
        ValueError: two kinds plan a figure of the same name.
    """
    study = StudyRuns.of(runs, margins, external)
    figures: dict[str, Figure] = {}
    for kind_name in names("figure"):
        kind: FigureKind = lookup("figure", kind_name)
        for name, contents in kind.plan(study).items():
            if name in figures:
                raise ValueError(f"figures {figures[name].draw!r} and {kind_name!r} both plan a file {name!r}")
            figures[name] = Figure(kind_name, kind.tables, contents.runs, contents.options, kind.files)
    return figures
