"""Find out which tables, figures and claims of a study are out of date, and let Snakemake make exactly these again.

Snakemake compares times, but times say nothing here: clocks differ, and copied files keep the times of another machine.
So content decides. Snakemake asks for the inputs of every job that it considers. If a product is out of date by then,
the job that makes the product is forced. Inputs only say what has to be there before; where their times would start a
job, they are marked `ancient`.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache, cached_property
from pathlib import Path

from anytime_pruning.figures.claims.definitions import TABLES
from anytime_pruning.orchestration.inputs import data_of_run
from anytime_pruning.orchestration.plan import Plan
from anytime_pruning.results.made_from import is_current


class Products:
    """Knows which products of a study are current, as the files were when this was asked for the first time."""

    def __init__(self, plan: Plan, force: Callable[[Iterable[str]], object], ancient: Callable[[str], str]) -> None:
        """Look at nothing yet.

        Args:
            plan: the plan of the study.
            force: takes files, and lets Snakemake run the jobs that make them if it considers these jobs.
            ancient: marks an input whose time does not count.
        """
        self._plan, self._paths, self._force, self._ancient = plan, plan.paths, force, ancient
        # Snakemake asks several times for each job.
        self._figure_is_current = cache(self._is_current_figure)

    def inputs_of_run(self, name: str) -> list[str]:
        """Return the inputs of the rule that trains a run."""
        return data_of_run(self._paths, name, self._plan.runs[name])

    def inputs_of_plan(self) -> list[str]:
        """Return no inputs for the rule that writes the plan, but force it if the files hold another plan."""
        return self._inputs(self._plan.is_written(), [], self._plan.files())

    def inputs_of_tables(self) -> list[str]:
        """Return the inputs of the rule that collects all runs."""
        lists = self._plan.files() if not self._plan.is_written() else _settled(self._plan.files())
        inputs = [*lists, *_settled(self._plan.run_metrics())]
        return self._inputs(self._tables_are_current, inputs, self._plan.tables())

    def inputs_of_present_tables(self) -> list[str]:
        """Return the inputs of the rule that collects the runs that are there; it writes the plan, too."""
        inputs, tables = _settled(self._plan.present_run_metrics()), self._plan.tables()
        return self._inputs(self._tables_are_current, inputs, tables, [*tables, *self._plan.files()])

    def inputs_of_figure(self, name: str) -> list[str]:
        """Return the inputs of the rule that draws a figure."""
        inputs = self._after_collecting([self._paths.figure_plan, *self._tables_of_figure(name)])
        return self._inputs(self._figure_is_current(name), inputs, self._plan.files_of_figure(name))

    def inputs_of_claims(self, claims: str) -> list[str]:
        """Return the inputs of the rule that judges the claims of a file."""
        inputs = [*_settled([claims]), *self._after_collecting(self._sources_of_claims)]
        return self._inputs(self._claims_are_current(claims), inputs, self._paths.claims_files())

    def inputs_of_metrics(self) -> list[str]:
        """Return the inputs of the rule that writes the numbers for `dvc metrics`."""
        sources, metrics = [self._paths.table("runs")], [self._paths.metrics]
        current = self._tables_are_current and self._is_current("metrics", sources, metrics)
        return self._inputs(current, self._after_collecting(sources), metrics)

    def inputs_of_walkthrough(self, notebook: str, claims: str) -> list[str]:
        """Return the inputs of the rule that runs the walk-through."""
        shown, page = self._plan.shown_files(), [self._paths.walkthrough]
        are_current = self._shown_are_current(claims)
        current = self._walkthrough_is_current(notebook, claims)
        return self._inputs(current, [*_settled([notebook]), *(_settled(shown) if are_current else shown)], page)

    def inputs_of_report(self, notebook: str, claims: str) -> list[str]:
        """Return the inputs of the rule that writes the report."""
        inputs, page = [*self._plan.shown_files(), self._paths.walkthrough], [self._paths.report]
        are_current = self._walkthrough_is_current(notebook, claims)
        sources = [self._paths.figure_plan, self._paths.figures, self._paths.walkthrough]
        current = are_current and self._is_current("report", sources, page, [self._paths.study])
        return self._inputs(current, _settled(inputs) if are_current else inputs, page)

    def _shown_are_current(self, claims: str) -> bool:
        return self._claims_are_current(claims) and all(map(self._figure_is_current, self._plan.figures))

    def _walkthrough_is_current(self, notebook: str, claims: str) -> bool:
        sources = [notebook, self._paths.figure_plan, self._paths.tables, self._paths.figures]
        page, named = [self._paths.walkthrough], [self._paths.study]
        return self._shown_are_current(claims) and self._is_current("walkthrough", sources, page, named)

    @cached_property
    def _tables_are_current(self) -> bool:
        """Whether the collected tables hold every run of the grid as it is, and the files that jobs read this plan."""
        sources = [self._paths.runs_list, *self._plan.run_metrics()]
        return (
            not self._plan.missing
            and self._plan.is_written()
            and self._is_current("tables", sources, self._plan.tables())
        )

    def _is_current_figure(self, name: str) -> bool:
        sources = [self._paths.figure_plan, *self._tables_of_figure(name)]
        figure = self._plan.files_of_figure(name)
        return self._tables_are_current and self._is_current(f"figures/{name}", sources, figure)

    def _claims_are_current(self, claims: str) -> bool:
        sources = [claims, *self._sources_of_claims]
        return self._tables_are_current and self._is_current("claims", sources, self._paths.claims_files())

    def _tables_of_figure(self, name: str) -> list[str]:
        return [self._paths.table(table) for table in self._plan.figures[name].tables]

    @property
    def _sources_of_claims(self) -> list[str]:
        return [self._paths.runs_list, *(self._paths.table(name) for name in TABLES)]

    def _is_current(
        self, record: str, sources: Iterable[str], product: Iterable[str], values: Sequence[str] = ()
    ) -> bool:
        return is_current(Path(self._paths.record(record)), [*map(Path, sources)], [*map(Path, product)], values)

    def _after_collecting(self, files: Sequence[str]) -> list[str]:
        """Return files for which a job has to wait. Those that are written again get the time of this call."""
        return _settled(files) if self._tables_are_current else list(files)

    def _inputs(
        self, current: bool, inputs: list[str], product: Sequence[str], outputs: Sequence[str] | None = None
    ) -> list[str]:
        """Return the inputs of a rule whose outputs, if they are not the product alone, are given."""
        if not current:
            self._force(product)
            return inputs
        made = min(map(_time_of, outputs or product))
        return [self._ancient(path) if Path(path).exists() and _time_of(path) > made else path for path in inputs]


def _settled(paths: Iterable[str]) -> list[str]:
    """Return paths without those dated in the future, because Snakemake fails a job that is older than its input."""
    now = time.time()
    return [path for path in paths if not Path(path).exists() or _time_of(path) <= now]


def _time_of(path: str) -> float:
    return Path(path).stat().st_mtime
