"""Register the kinds of pictures that do not run along a stream; each has runs, a place in the report, and a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytime_pruning.figures.catalog.kind import Contents, PlotKind
from anytime_pruning.figures.catalog.study_runs import ShownRun, StudyRuns, is_gradual, names_of
from anytime_pruning.figures.series import Series, find_dense
from anytime_pruning.figures.stream_length import is_short
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
        caption="What happens when a megabatch arrives. Each column is one megabatch, and time runs from left to "
        "right. The set to train on grows with every megabatch, because all earlier images are replayed. The sample "
        "on which weights are scored is a share of that set. The network that was trained before is pruned further; "
        "filled cells are the weights that it keeps. Densities and share are those of this study. The diagram is "
        "drawn from settings and shows no result.",
        plan=_plan_framework,
        draw=_draw_framework,
    )
)


def _plan_short(study: StudyRuns) -> dict[str, Contents]:
    """Plan a figure of the main runs on short streams that can be paired with a dense run of their seed.

    Few-shot datasets are left to a separate table. Without any pair, there is no figure; the table of results shows
    all runs.
    """
    runs: list[ShownRun] = []
    for stream, _, main in study.by_stream():
        if is_short(stream.n_megabatches):
            runs += _pair_with_dense([run for run in main if not run.is_few_shot])
    return {"short": Contents(names_of(runs), {"margins": study.margins.model_dump()})} if runs else {}


def _pair_with_dense(runs: list[ShownRun]) -> list[ShownRun]:
    """Return the runs of one stream that can be compared with a dense run of the same seed, and these dense runs."""
    by_series = {(Series(*run.series, run.variant), run.seed): run for run in runs}
    series = list(dict.fromkeys(one for one, _ in by_series))
    paired = set()
    for (one, seed), run in by_series.items():
        dense = None if one.method == "dense" else find_dense(one, series)
        if dense and (dense, seed) in by_series:
            paired |= {run, by_series[dense, seed]}
    return [run for run in runs if run in paired]


def _draw_short(runs: pd.DataFrame, margins: dict[str, float]) -> tuple[Picture, pd.DataFrame]:
    from anytime_pruning.figures.plots import short

    return short.draw(runs, margins)


register("figure", "short")(
    PlotKind(
        tables=("runs",),
        category="2 Results",
        caption="What each method gains or loses against the network that is never pruned. Every mark is a "
        "difference, method minus dense baseline, taken seed by seed because runs of one seed share their stream and "
        "their initial weights. The bar is its interval; a single seed has none, and neither have seeds that all have "
        "the same difference. The grey band is the margin within which a difference has no practical meaning. A bar "
        "inside the band speaks for equivalence, and a bar on one side of zero for a difference. A bar that does "
        "neither leaves the question open. The table *equivalence* gives the verdicts, corrected for the number of "
        "comparisons, and says how many seeds would decide. The table *results* has the absolute values.",
        plan=_plan_short,
        draw=_draw_short,
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


def _draw_layers(layers: pd.DataFrame, megabatches: pd.DataFrame) -> tuple[Picture, pd.DataFrame]:
    from anytime_pruning.figures.plots import layers as plot

    return plot.draw(layers, megabatches)


register("figure", "layers")(
    PlotKind(
        tables=("layers", "megabatches"),
        category="5 Where weights are pruned",
        caption="How much of each layer is left after each megabatch. Layers are ordered from the input at the top to "
        "the output at the bottom. Every line is a megabatch, and the lines move to the left as the network is "
        "pruned. The broken lines are the densities that were asked of the whole network at the first and at the last "
        "megabatch. Where a line lies to the right of its broken line, the layer is pruned less than the network. "
        "Compare the first layers of SNIP and magnitude: the paper says that magnitude empties them early.",
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
        caption="What changes when one setting changes. Every row is a method with the settings in brackets, and every "
        "mark its mean over seeds with an interval. The line and the band through all rows are the reference. A row "
        "whose bar is clear of the band is worth a look in the table of paired differences.",
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
        caption="What the training on the whole stream has cost, beside what it has reached. On the left, the cost is "
        "what this hardware executed: dense kernels compute pruned weights, too, so pruning saves nothing. On the "
        "right, only weights that are kept count, as on hardware for sparse networks. A series is better where its "
        "accuracy lies higher, or its errors lower, at the same cost.",
        plan=_plan_budget,
        draw=_draw_budget,
    )
)
