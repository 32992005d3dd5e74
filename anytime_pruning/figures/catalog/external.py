"""Register the figure and the table that show results of other people's programs beside those of the study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytime_pruning.figures.catalog.kind import Contents, PlotKind, TableKind
from anytime_pruning.figures.catalog.study_runs import StudyRuns, names_of
from anytime_pruning.foundation.registry import register

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Picture


def _rows_of(study: StudyRuns) -> dict[tuple[str, str, int], list[dict[str, Any]]]:
    """Return the external rows of each stream that has some."""
    rows: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for result in study.external:
        rows.setdefault(result.stream, []).extend(result.rows())
    return rows


def _plan_table(study: StudyRuns) -> dict[str, Contents]:
    """Plan one table of the main runs on all streams that have external results."""
    rows = _rows_of(study)
    runs = [run for run in study.main if run.stream in rows]
    external = [row for stream in rows.values() for row in stream]
    return {"external": Contents(names_of(runs), {"external": external})} if rows else {}


def _tabulate(megabatches: pd.DataFrame, external: list[dict[str, Any]]) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    from anytime_pruning.figures.tables import external as table

    return table.tabulate(megabatches, external)


register("figure", "external_table")(
    TableKind(
        tables=("megabatches",),
        category="2 Results",
        caption="The main series of this study beside test errors that were imported from other people's programs.",
        plan=_plan_table,
        tabulate=_tabulate,
    )
)


def _plan_plot(study: StudyRuns) -> dict[str, Contents]:
    """Plan a figure of the main runs for each stream that has external results."""
    rows = _rows_of(study)
    return {
        f"external-{stream}": Contents(names_of(main), {"external": rows[stream]})
        for stream, _, main in study.by_stream()
        if stream in rows
    }


def _draw(megabatches: pd.DataFrame, external: list[dict[str, Any]]) -> tuple[Picture, pd.DataFrame]:
    from anytime_pruning.figures.plots import external as plot

    return plot.draw(megabatches, external)


register("figure", "external_plot")(
    PlotKind(
        tables=("megabatches",),
        category="3 Along the stream",
        caption="Test accuracy after each megabatch and errors so far, beside those of other people's programs on the "
        "same stream, which were imported and not computed here.",
        plan=_plan_plot,
        draw=_draw,
    )
)
