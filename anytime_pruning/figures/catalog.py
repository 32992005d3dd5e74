"""Which figures and tables a study has, and the runs that each of them shows. No torch, no plotting.

A series (protocol, method, pruner) that at least half of a study's streams have is one of its main ones; the others,
and runs whose settings vary (tau, replay, ...), are compared with those in figures of their own. So main figures stay
readable, and no run is left out: the tables have all of them.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from anytime_pruning.results.variants import name_variants, plain_settings
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.settings.study import PlannedRun

FIGURE_KINDS, TABLE_KINDS = ("pdf", "png", "csv"), ("md", "html", "tex", "csv")
# The shortest stream whose gap is shown against the megabatch, and the shortest that is not called short any more.
SHORTEST_CURVE, MODERATE = 8, 25


@dataclass(frozen=True)
class Figure:
    """One figure or table: what draws it, from which collected table, of which runs.

    Attributes:
        draw: name in anytime_pruning/figures/draw.py.
        table: collected table, without suffix.
        runs: names; all of them have to be there.
        options: further arguments of what draws it.
        kinds: endings of the files that it makes.
    """

    draw: str
    table: str
    runs: list[str]
    options: dict[str, Any] = field(default_factory=dict)
    kinds: tuple[str, ...] = FIGURE_KINDS

    def as_json(self) -> dict[str, Any]:
        """As a mapping that the drawing program reads from a file."""
        return asdict(self)


class Shown(NamedTuple):
    """What decides in which figures a run is shown."""

    name: str
    stream: tuple[str, str, int]  # dataset, model, T
    series: tuple[str, str, str]  # protocol, method, pruner
    variant: str
    gradual: bool  # pruned more than once
    few_shot: bool


def plan_figures(runs: Iterable[PlannedRun]) -> dict[str, Figure]:
    """The figures and tables of a study, by file name without suffix, which says what is shown."""
    runs = list(runs)
    shown = _describe(runs)
    main = _choose_main(shown)
    figures = {}
    short = [run for run in main if run.stream[2] < MODERATE and not run.few_shot]
    if short:
        figures["short"] = Figure("short", "runs", _names(short))
    for stream in sorted({run.stream for run in shown}):
        figures |= _of_stream(stream, _on(stream, shown), _on(stream, main))
    for dataset, model in sorted({run.stream[:2] for run in main}):
        network = [run for run in main if run.stream[:2] == (dataset, model)]
        if len({run.stream[2] for run in network}) > 1:
            figures[f"sweep-{dataset}-{model}"] = Figure("gap", "megabatches", _names(network))
    return figures | _framework(runs) | _tables(shown)


def _describe(runs: list[PlannedRun]) -> list[Shown]:
    settings = {run.name: plain_settings(run.settings.model_dump(mode="json")) for run in runs}
    variants = name_variants(settings)
    return [
        Shown(
            name=run.name,
            stream=tuple(settings[run.name][key] for key in ("dataset", "model", "n_megabatches")),
            series=tuple(settings[run.name][key] for key in ("protocol", "method", "pruner")),
            variant=variants[run.name],
            gradual=_is_gradual(run.settings),
            few_shot=getattr(run.settings.dataset, "shots", None) is not None,
        )
        for run in runs
    ]


def _is_gradual(settings: RunSettings) -> bool:
    """Whether the network is pruned further at later megabatches."""
    return len(set(settings.densities())) > 1


def _choose_main(shown: list[Shown]) -> list[Shown]:
    """Runs of the reference settings in the series that most streams have; of a stream without such runs, all.

    Where a series of a stream has no run of the reference settings, as when tau is varied evenly, all its runs count.
    """
    streams = {run.stream for run in shown}
    referenced = {(run.stream, run.series) for run in shown if not run.variant}
    usual = [run for run in shown if not run.variant or (run.stream, run.series) not in referenced]
    counts = Counter(series for _, series in {(run.stream, run.series) for run in usual})
    main = [run for run in usual if 2 * counts[run.series] >= len(streams)]
    rest = streams - {run.stream for run in main}
    chosen = set(main)
    return [run for run in shown if run in chosen or run.stream in rest]


def _of_stream(stream: tuple[str, str, int], shown: list[Shown], main: list[Shown]) -> dict[str, Figure]:
    dataset, model, n_megabatches = stream
    name = f"{dataset}-{model}-T{n_megabatches}"
    figures = {f"dynamics-{name}": Figure("dynamics", "epochs", _names(main))}
    if n_megabatches >= SHORTEST_CURVE:
        figures[f"long-{name}"] = Figure("gap", "megabatches", _names(main))
    # Every pruner, also where a stream was only run with it to compare pruners.
    chosen = set(main)
    gradual = [run for run in shown if run.gradual and (run in chosen or not run.variant)]
    if gradual:
        figures[f"layers-{name}"] = Figure("layers", "layers", _names(gradual))
    if len(main) < len(shown):
        figures[f"ablation-{name}"] = Figure("ablation", "runs", _names(shown))
    return figures


def _framework(runs: list[PlannedRun]) -> dict[str, Figure]:
    """The diagram of the first run that is pruned gradually, which needs no results."""
    for run in runs:
        if _is_gradual(run.settings):
            options = {"densities": run.settings.densities(), "sample_frac": run.settings.sample_frac}
            return {"framework": Figure("framework", "", [], options)}
    return {}


def _tables(shown: list[Shown]) -> dict[str, Figure]:
    chosen = {
        "results": ("runs", shown),
        "differences": ("runs", shown if len({(*run.series, run.variant) for run in shown}) > 1 else []),
        "cost": ("runs", shown),
        "few_shot": ("runs", [run for run in shown if run.few_shot]),
        "direction_changes": ("megabatches", [run for run in shown if run.stream[2] >= SHORTEST_CURVE]),
    }
    return {
        name: Figure(name, table, _names(runs), kinds=TABLE_KINDS) for name, (table, runs) in chosen.items() if runs
    }


def _on(stream: tuple[str, str, int], runs: list[Shown]) -> list[Shown]:
    return [run for run in runs if run.stream == stream]


def _names(runs: list[Shown]) -> list[str]:
    return [run.name for run in runs]
