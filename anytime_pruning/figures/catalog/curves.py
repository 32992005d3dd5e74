"""Register the kinds of pictures that run along a stream; each has runs, a place in the report, and a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytime_pruning.figures.catalog.kind import Contents, PlotKind
from anytime_pruning.figures.catalog.study_runs import StudyRuns, names_of
from anytime_pruning.figures.stream_length import is_short
from anytime_pruning.foundation.registry import register

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Picture


def _plan_accuracy(study: StudyRuns) -> dict[str, Contents]:
    """Plan a figure of the main runs for each stream."""
    return {f"accuracy-{stream}": Contents(names_of(main)) for stream, _, main in study.by_stream()}


def _draw_accuracy(megabatches: pd.DataFrame) -> tuple[Picture, pd.DataFrame]:
    from anytime_pruning.figures.plots import accuracy

    return accuracy.draw(megabatches)


register("figure", "accuracy")(
    PlotKind(
        tables=("megabatches",),
        category="2 Results",
        caption="How good the network is at any time. On the left, its test accuracy after each megabatch: every line "
        "is a method, and bars or bands are intervals over seeds, cut at 0 and 100 %. Bars of one megabatch stand side "
        "by side so that they can be told apart. On the right, the same accuracy against what training has cost so "
        "far, if only weights that are kept were computed; dense hardware computes all of them. The low panels show "
        "how many weights are kept. A panel holds at most four methods, with the dense baseline for comparison.",
        plan=_plan_accuracy,
        draw=_draw_accuracy,
    )
)


def _plan_dynamics(study: StudyRuns) -> dict[str, Contents]:
    """Plan a figure of the main runs for each stream."""
    return {f"dynamics-{stream}": Contents(names_of(main)) for stream, _, main in study.by_stream()}


def _draw_dynamics(epochs: pd.DataFrame, megabatches: pd.DataFrame) -> tuple[Picture, pd.DataFrame]:
    from anytime_pruning.figures.plots import dynamics

    return dynamics.draw(epochs, megabatches)


register("figure", "dynamics")(
    PlotKind(
        tables=("epochs", "megabatches"),
        category="3 Along the stream",
        caption="Training from epoch to epoch. Grey lines are the borders of megabatches. Accuracy dips after a "
        "border, because the learning rate starts high again and new images have come, and it recovers. A series that "
        "does not recover was perhaps pruned too far. The gap between training and validation is that of the tables, "
        "with a point at the last epoch of each megabatch. The first losses are left out where they are so large that "
        "nothing else could be seen.",
        plan=_plan_dynamics,
        draw=_draw_dynamics,
    )
)


def _plan_gap(study: StudyRuns) -> dict[str, Contents]:
    """Plan a figure for each long stream."""
    return {
        f"long-{stream}": Contents(names_of(main))
        for stream, _, main in study.by_stream()
        if not is_short(stream.n_megabatches)
    }


def _draw_gap(megabatches: pd.DataFrame) -> tuple[Picture, pd.DataFrame]:
    from anytime_pruning.figures.plots import gap

    return gap.draw(megabatches)


register("figure", "gap")(
    PlotKind(
        tables=("megabatches",),
        category="4 The gap over megabatches",
        caption="The generalization gap over a long stream. See whether it rises all the way, or turns. The clean gap "
        "in the lower panel is the fairer measure, because both of its terms are without augmentation. Noise turns, "
        "too: the table *direction_changes* says whether a curve moves back farther than noise does.",
        plan=_plan_gap,
        draw=_draw_gap,
    )
)


def _plan_sweep(study: StudyRuns) -> dict[str, Contents]:
    """Plan a figure for each network, of the series that have streams of several lengths with the same settings."""
    figures = {}
    for dataset, model in sorted({run.stream[:2] for run in study.main}):
        network = [run for run in study.main if run.stream[:2] == (dataset, model)]
        lengths: dict[tuple[object, str], set[int]] = {}
        for run in network:
            lengths.setdefault((run.series, run.variant), set()).add(run.stream.n_megabatches)
        if runs := [run for run in network if len(lengths[run.series, run.variant]) > 1]:
            figures[f"sweep-{dataset}-{model}"] = Contents(names_of(runs))
    return figures


def _draw_sweep(megabatches: pd.DataFrame) -> tuple[Picture, pd.DataFrame]:
    from anytime_pruning.figures.plots import sweep

    return sweep.draw(megabatches)


register("figure", "sweep")(
    PlotKind(
        tables=("megabatches",),
        category="4 The gap over megabatches",
        caption="Whether the gap depends on the number T of pieces in which the same images arrive. Every column is a "
        "method, and every line a stream; darker lines have more megabatches. All lines end at the same place, where "
        "the whole stream has been seen.",
        plan=_plan_sweep,
        draw=_draw_sweep,
    )
)
