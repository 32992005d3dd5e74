"""Register the kinds of pictures; each has a choice of runs, a place in the report, and a module that draws it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytime_pruning.figures.catalog.kind import Contents, PlotKind
from anytime_pruning.figures.catalog.study_runs import StudyRuns, is_gradual, names_of
from anytime_pruning.figures.stream_length import has_curve, is_short
from anytime_pruning.foundation.registry import register

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Picture


def _plan_framework(study: StudyRuns) -> dict[str, Contents]:
    """Plan a diagram of the schedule of the first run that is pruned gradually."""
    for run in study.planned:
        if is_gradual(run.settings):
            options = {"densities": run.settings.densities(), "sample_frac": run.settings.sample_frac}
            return {"framework": Contents([], options)}
    return {}


def _draw_framework(densities: list[float], sample_frac: float) -> tuple[Picture, pd.DataFrame]:
    from anytime_pruning.figures.plots import framework

    return framework.draw(densities, sample_frac)


register("figure", "framework")(
    PlotKind(
        tables=(),
        category="1 The method",
        caption="What happens at each megabatch, with the densities of this study. The diagram is drawn from settings "
        "and shows no result.",
        plan=_plan_framework,
        draw=_draw_framework,
    )
)


def _plan_short(study: StudyRuns) -> dict[str, Contents]:
    """Plan a figure of the main runs on short streams; few-shot datasets are left to a separate table."""
    runs = [run for run in study.main if is_short(run.stream.n_megabatches) and not run.is_few_shot]
    return {"short": Contents(names_of(runs))} if runs else {}


def _draw_short(runs: pd.DataFrame) -> tuple[Picture, pd.DataFrame]:
    from anytime_pruning.figures.plots import short

    return short.draw(runs)


register("figure", "short")(
    PlotKind(
        tables=("runs",),
        category="2 Results",
        caption="Each mark is the mean over seeds, with its interval. Read the figure column by column: accuracy at "
        "the end, errors over the whole stream (fewer are better), and the gap, which the title defines. Where "
        "intervals overlap, look at the table of paired differences before believing an order.",
        plan=_plan_short,
        draw=_draw_short,
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
        caption="The whole stream, epoch by epoch; vertical lines are the borders of megabatches. Accuracy dips where "
        "the learning rate starts anew, and recovers. A series that does not recover was perhaps pruned too far. The "
        "gap is that of the tables, with a point at the last epoch of each megabatch.",
        plan=_plan_dynamics,
        draw=_draw_dynamics,
    )
)


def _plan_gap(study: StudyRuns) -> dict[str, Contents]:
    """Plan a figure for each long stream, and one for each network whose streams differ in length, side by side."""
    figures = {
        f"long-{stream}": Contents(names_of(main))
        for stream, _, main in study.by_stream()
        if has_curve(stream.n_megabatches)
    }
    for dataset, model in sorted({run.stream[:2] for run in study.main}):
        network = [run for run in study.main if run.stream[:2] == (dataset, model)]
        if len({run.stream.n_megabatches for run in network}) > 1:
            figures[f"sweep-{dataset}-{model}"] = Contents(names_of(network))
    return figures


def _draw_gap(megabatches: pd.DataFrame) -> tuple[Picture, pd.DataFrame]:
    from anytime_pruning.figures.plots import gap

    return gap.draw(megabatches)


register("figure", "gap")(
    PlotKind(
        tables=("megabatches",),
        category="4 The gap over megabatches",
        caption="Both gaps after each megabatch. See whether they rise all the way or turn. The clean gap, in the "
        "lower panel, has both terms without augmentation, which is the fairer comparison. Noise turns, too: the table "
        "direction_changes says whether a curve moves back farther than noise does.",
        plan=_plan_gap,
        draw=_draw_gap,
    )
)


def _plan_layers(study: StudyRuns) -> dict[str, Contents]:
    """Plan a figure of the gradual runs for each stream, including runs of pruners that only this stream has."""
    figures = {}
    for stream, shown, main in study.by_stream():
        main_runs = set(main)
        runs = [run for run in shown if run.is_gradual and (run in main_runs or not run.variant)]
        if runs:
            figures[f"layers-{stream}"] = Contents(names_of(runs))
    return figures


def _draw_layers(layers: pd.DataFrame) -> tuple[Picture, pd.DataFrame]:
    from anytime_pruning.figures.plots import layers as plot

    return plot.draw(layers)


register("figure", "layers")(
    PlotKind(
        tables=("layers",),
        category="5 Where weights are pruned",
        caption="Weights kept in each layer after each megabatch, from input to output. Compare the first layers of "
        "SNIP and magnitude at the first megabatches, and the depth of the lowest line with the density that was asked "
        "for.",
        plan=_plan_layers,
        draw=_draw_layers,
    )
)


def _plan_ablation(study: StudyRuns) -> dict[str, Contents]:
    """Plan a figure of all runs for each stream that has more than its main runs."""
    return {
        f"ablation-{stream}": Contents(names_of(shown))
        for stream, shown, main in study.by_stream()
        if len(main) < len(shown)
    }


def _draw_ablation(runs: pd.DataFrame) -> tuple[Picture, pd.DataFrame]:
    from anytime_pruning.figures.plots import ablation

    return ablation.draw(runs)


register("figure", "ablation")(
    PlotKind(
        tables=("runs",),
        category="6 Ablations",
        caption="Accuracy, errors and gap of every variant of a setting, beside those of the reference.",
        plan=_plan_ablation,
        draw=_draw_ablation,
    )
)


def _plan_budget(study: StudyRuns) -> dict[str, Contents]:
    """Plan a figure of the main runs for each stream on which several series compete."""
    return {
        f"budget-{stream}": Contents(names_of(main))
        for stream, _, main in study.by_stream()
        if len({run.series for run in main}) > 1
    }


def _draw_budget(megabatches: pd.DataFrame) -> tuple[Picture, pd.DataFrame]:
    from anytime_pruning.figures.plots import budget

    return budget.draw(megabatches)


register("figure", "budget")(
    PlotKind(
        tables=("megabatches",),
        category="7 Cost",
        caption="Accuracy and errors against the multiply-accumulates of training so far. On the left all series cost "
        "the same, because dense kernels compute pruned weights, too; on the right only weights that are kept count. A "
        "series is better where its accuracy lies higher, and its errors lower, at the same cost. CER belongs to whole "
        "streams, so it has one mark for each series.",
        plan=_plan_budget,
        draw=_draw_budget,
    )
)
