"""Name what every job reads if the files of a study lie in an object store.

A job sees only the objects that are its inputs. Times decide whether a product is current, because a store has one
clock, and no checkout or copy changes its times. Only the plan is compared by its content, as it has no input.
"""

from collections.abc import Callable, Iterable, Sequence

from anytime_pruning.figures.claims.definitions import TABLES
from anytime_pruning.orchestration.calls.object_store import ObjectStore
from anytime_pruning.orchestration.inputs import cache_file
from anytime_pruning.orchestration.plan import Plan


class StoredProducts:
    """Answers as `Products` does, for objects."""

    def __init__(
        self, plan: Plan, store: ObjectStore, force: Callable[[Iterable[str]], object], local: Callable[[str], str]
    ) -> None:
        """Look at nothing yet.

        Args:
            plan: the plan of the study.
            store: holds the files of the study.
            force: takes files, and lets Snakemake run the jobs that make them if it considers these jobs.
            local: marks an input that lies on this machine and not in the store.
        """
        self._plan, self._paths, self._store, self._force, self._local = plan, plan.paths, store, force, local
        self._missing = frozenset(plan.missing)

    def inputs_of_run(self, name: str) -> list[str]:
        """Return the inputs of the rule that trains a run."""
        settings = self._plan.runs[name]
        # Data at an absolute path is no object. Each machine prepares its own.
        is_stored = not settings.execution.data_dir.is_absolute()
        return [cache_file(settings)] if is_stored and name in self._missing else []

    def inputs_of_plan(self) -> list[str]:
        """Return no inputs for the rule that writes the plan, but force it if the objects hold another plan."""
        if any(self._store.read(path) != content for path, content in self._plan.lists().items()):
            self._force(map(self._store.place, self._plan.files()))
        return []

    def inputs_of_tables(self) -> list[str]:
        """Return the inputs of the rule that collects all runs."""
        return [*self._plan.files(), *self._files_of(self._plan.runs)]

    def inputs_of_present_tables(self) -> list[str]:
        """Return the inputs of the rule that collects the runs that are there."""
        return self._files_of(self._plan.present_runs())

    def inputs_of_figure(self, name: str) -> list[str]:
        """Return the inputs of the rule that draws a figure."""
        return [self._paths.figure_plan, *map(self._paths.table, self._plan.figures[name].tables)]

    def inputs_of_claims(self, claims: str) -> list[str]:
        """Return the inputs of the rule that judges the claims of a file."""
        tables = map(self._paths.table, TABLES)
        return [self._local(claims), self._paths.runs_list, *tables, *self._configs]

    def inputs_of_metrics(self) -> list[str]:
        """Return the inputs of the rule that writes the numbers for `dvc metrics`."""
        return [self._paths.table("runs")]

    def inputs_of_walkthrough(self, notebook: str, claims: str) -> list[str]:
        """Return the inputs of the rule that runs the walk-through."""
        lists = [*self._plan.files(), *self._plan.tables()]
        return [self._local(notebook), *lists, *self._configs, *self._plan.shown_files()]

    def inputs_of_report(self, notebook: str, claims: str) -> list[str]:
        """Return the inputs of the rule that writes the report."""
        return [self._paths.figure_plan, *self._plan.shown_files(), self._paths.walkthrough]

    @property
    def _configs(self) -> Sequence[str]:
        """The settings of all runs that the tables can hold."""
        return [self._paths.run_config(name) for name in self._plan.runs]

    def _files_of(self, runs: Iterable[str]) -> list[str]:
        return [file for name in runs for file in self._paths.run_files(name)]
