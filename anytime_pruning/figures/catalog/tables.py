"""Register the kinds of tables; each has a choice of runs, a place in the report, and a module that writes it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from anytime_pruning.figures.catalog.kind import Contents, TableKind
from anytime_pruning.figures.catalog.study_runs import ShownRun, StudyRuns, names_of
from anytime_pruning.figures.stream_length import has_curve
from anytime_pruning.foundation.registry import register

if TYPE_CHECKING:
    import pandas as pd


def _one_table(name: str, runs: list[ShownRun]) -> dict[str, Contents]:
    """Plan a single table of runs, or no table if there are no runs."""
    return {name: Contents(names_of(runs))} if runs else {}


def _plan_pairs(name: str, study: StudyRuns) -> dict[str, Contents]:
    """Plan a single table of runs if the study has more than one series, which the table compares."""
    has_pairs = len({(run.series, run.variant) for run in study.shown}) > 1
    return _one_table(name, study.shown if has_pairs else [])


def _tabulate_results(runs: pd.DataFrame) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    from anytime_pruning.figures.tables import results

    return results.tabulate(runs)


register("figure", "results")(
    TableKind(
        tables=("runs",),
        category="2 Results",
        caption="Mean and interval over seeds of every series. The columns after the pruner are those of the paper's "
        "tables. The last columns say how much of the network is left, which is not the same in the two protocols.",
        plan=lambda study: _one_table("results", study.shown),
        tabulate=_tabulate_results,
    )
)


def _tabulate_differences(runs: pd.DataFrame) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    from anytime_pruning.figures.tables import differences

    return differences.tabulate(runs)


register("figure", "differences")(
    TableKind(
        tables=("runs",),
        category="2 Results",
        caption="One series minus another, seed by seed, because runs of one seed share stream and initial weights. A "
        "star marks a difference whose p-value is below 0.05 after Holm's correction over the whole table.",
        plan=partial(_plan_pairs, "differences"),
        tabulate=_tabulate_differences,
    )
)


def _tabulate_few_shot(runs: pd.DataFrame) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    from anytime_pruning.figures.tables import few_shot

    return few_shot.tabulate(runs)


register("figure", "few_shot")(
    TableKind(
        tables=("runs",),
        category="2 Results",
        caption="Accuracy, gaps and density with few training images of each class.",
        plan=lambda study: _one_table("few_shot", [run for run in study.shown if run.is_few_shot]),
        tabulate=_tabulate_few_shot,
    )
)


def _plan_direction_changes(study: StudyRuns) -> dict[str, Contents]:
    """Plan a table of direction changes on the streams whose gap is judged as a curve."""
    return _one_table("direction_changes", [run for run in study.shown if has_curve(run.stream.n_megabatches)])


def _tabulate_direction_changes(megabatches: pd.DataFrame) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    from anytime_pruning.figures.tables import direction_changes

    return direction_changes.tabulate(megabatches)


register("figure", "direction_changes")(
    TableKind(
        tables=("megabatches",),
        category="4 The gap over megabatches",
        caption="Whether the gap turns. How often and how far it moves back after smoothing is compared with what "
        "noise around a monotone gap would do, in brackets. A gap is shown to turn where p is small; a positive "
        "excess alone is no finding.",
        plan=_plan_direction_changes,
        tabulate=_tabulate_direction_changes,
    )
)


def _tabulate_cost(runs: pd.DataFrame) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    from anytime_pruning.figures.tables import cost

    return cost.tabulate(runs)


register("figure", "cost")(
    TableKind(
        tables=("runs",),
        category="7 Cost",
        caption="What training executed, and how long it took on which hardware. All networks were computed with "
        "dense kernels, which multiply by zeros, too, so the seconds are no comparison of methods. The columns after "
        "them say how much of each network is left. Only hardware for sparse networks would thereby save time; the "
        "file on disk does get smaller.",
        plan=lambda study: _one_table("cost", study.shown),
        tabulate=_tabulate_cost,
    )
)


def _tabulate_best_within(megabatches: pd.DataFrame) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    from anytime_pruning.figures.tables import budget

    return budget.tabulate(megabatches)


register("figure", "best_within_budget")(
    TableKind(
        tables=("megabatches",),
        category="7 Cost",
        caption="The series that reaches most within a quarter, half, three quarters and all of the computation of the "
        "dearest one, and the next best.",
        plan=partial(_plan_pairs, "best_within_budget"),
        tabulate=_tabulate_best_within,
    )
)


def _plan_equivalence(study: StudyRuns) -> dict[str, Contents]:
    """Plan a table of verdicts on the pairs of the table of differences."""
    options = {"margins": study.margins.model_dump()}
    return {name: Contents(contents.runs, options) for name, contents in _plan_pairs("equivalence", study).items()}


def _tabulate_equivalence(runs: pd.DataFrame, margins: dict[str, float]) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    from anytime_pruning.figures.tables import equivalence

    return equivalence.tabulate(runs, margins)


register("figure", "equivalence")(
    TableKind(
        tables=("runs",),
        category="2 Results",
        caption="Whether the first of two series is better, worse or equivalent within the margins of the study, and "
        "how many seeds would decide what is undecided.",
        plan=_plan_equivalence,
        tabulate=_tabulate_equivalence,
    )
)
