"""Decide which runs of a study are its main ones, and group all runs by stream.

A series is a protocol, a method and a pruner. A main series is one that at least half of the study's streams have.
Separate figures compare the other series, and runs whose settings vary (tau, replay, ...), with the main series. The
main figures therefore stay readable, and no run is lost, because tables show all runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

# Drawing needs no settings, whose import takes a tenth of a figure's time.
if TYPE_CHECKING:
    from anytime_pruning.results.external import ExternalResult
    from anytime_pruning.settings.run import RunSettings
    from anytime_pruning.settings.study import Margins, PlannedRun


class Stream(NamedTuple):
    """Names the dataset, the network and the number of megabatches that runs have in common."""

    dataset: str
    model: str
    n_megabatches: int

    def __str__(self) -> str:
        return f"{self.dataset}-{self.model}-T{self.n_megabatches}"


class ShownRun(NamedTuple):
    """Holds the facts that decide in which figures a run is shown.

    Attributes:
        name: name of the run.
        stream: stream on which the run is trained.
        series: protocol, method and pruner.
        variant: the settings that tell the run apart, as tables name them; empty for the reference.
        seed: the seed.
        is_gradual: whether the network is pruned further at later megabatches.
        is_few_shot: whether the dataset has a limited number of images of each class.
    """

    name: str
    stream: Stream
    series: tuple[str, str, str]
    variant: str
    seed: int
    is_gradual: bool
    is_few_shot: bool


@dataclass(frozen=True)
class StudyRuns:
    """Holds the runs of a study, among which the kinds of figures choose.

    Attributes:
        planned: all runs, with their settings.
        shown: all runs, in the same order.
        main: the runs of the main series with the reference settings.
        margins: differences that have no practical meaning.
        external: results of other people's programs on streams of the study.
    """

    planned: list[PlannedRun]
    shown: list[ShownRun]
    main: list[ShownRun]
    margins: Margins
    external: Sequence[ExternalResult] = ()

    @classmethod
    def of(cls, runs: Iterable[PlannedRun], margins: Margins, external: Sequence[ExternalResult] = ()) -> StudyRuns:
        """Describe the runs of a study and choose the main ones."""
        planned = list(runs)
        shown = _describe(planned)
        return cls(planned, shown, _choose_main(shown), margins, external)

    def by_stream(self) -> list[tuple[Stream, list[ShownRun], list[ShownRun]]]:
        """Return each stream in sorted order, with all its runs and its main runs."""
        return [
            (stream, [run for run in self.shown if run.stream == stream], [r for r in self.main if r.stream == stream])
            for stream in sorted({run.stream for run in self.shown})
        ]


def is_gradual(settings: RunSettings) -> bool:
    """Return whether the network is pruned further at later megabatches."""
    return len(set(settings.densities())) > 1


def names_of(runs: Iterable[ShownRun]) -> list[str]:
    """Return the names of runs."""
    return [run.name for run in runs]


def _describe(runs: list[PlannedRun]) -> list[ShownRun]:
    from anytime_pruning.results.variants import name_variants, plain_settings

    settings = {run.name: plain_settings(run.settings.model_dump(mode="json")) for run in runs}
    variants = name_variants(settings)
    return [
        ShownRun(
            name=run.name,
            stream=Stream(*(settings[run.name][key] for key in Stream._fields)),
            series=(run.settings.protocol, run.settings.method, run.settings.pruner),
            variant=variants[run.name],
            seed=run.settings.seed,
            is_gradual=is_gradual(run.settings),
            is_few_shot=getattr(run.settings.dataset, "shots", None) is not None,
        )
        for run in runs
    ]


def _choose_main(shown: list[ShownRun]) -> list[ShownRun]:
    """Return the runs with the reference settings in the series that at least half of the streams have.

    If a stream has no such runs, all its runs are main. If a series of a stream has no run with the reference settings,
    as when tau is varied evenly, all runs of the series count as reference.
    """
    streams = {run.stream for run in shown}
    referenced = {(run.stream, run.series) for run in shown if not run.variant}
    usual = [run for run in shown if not run.variant or (run.stream, run.series) not in referenced]
    counts = Counter(series for _, series in {(run.stream, run.series) for run in usual})
    main = {run for run in usual if 2 * counts[run.series] >= len(streams)}
    without_main = streams - {run.stream for run in main}
    return [run for run in shown if run in main or run.stream in without_main]
