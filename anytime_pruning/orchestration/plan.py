"""Plan a study: its runs, its missing runs, its figures, and the files of runs and figures."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from anytime_pruning.figures.catalog import Figure
from anytime_pruning.figures.catalog.plan import plan_figures
from anytime_pruning.foundation.errors import one_line
from anytime_pruning.foundation.files import write_if_different
from anytime_pruning.foundation.safe_text import read_yaml
from anytime_pruning.orchestration.calls.experiments import check_results_stay
from anytime_pruning.orchestration.forecast.machines import read_machines
from anytime_pruning.orchestration.inputs import find_file
from anytime_pruning.orchestration.places import project_root
from anytime_pruning.orchestration.study_files import find_namesakes
from anytime_pruning.orchestration.study_paths import StudyPaths
from anytime_pruning.results.external import check_streams, external_results
from anytime_pruning.results.layout import COLLECTED_TABLES, RESULTS
from anytime_pruning.results.run_list import format_runs_list
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.settings.study import Study, plan_study


@dataclass(frozen=True)
class Plan:
    """Holds everything that the rules of the workflow need to know about a study.

    Attributes:
        study: the checked configuration.
        runs: settings of every run by its name, in the order of the grid.
        missing: names of the runs without results.
        figures: every figure and table by its file name without suffix.
        paths: files and folders, relative to the working folder.
        container: image for jobs with --use-singularity: a SIF file, or an address such as docker://...
        namesakes: other configuration files, beside those of the study, with a study of the same name.
    """

    study: Study
    runs: Mapping[str, RunSettings]
    missing: tuple[str, ...]
    figures: Mapping[str, Figure]
    paths: StudyPaths
    container: str
    namesakes: tuple[Path, ...] = ()

    def is_written(self) -> bool:
        """Return whether the files that jobs read hold this plan."""
        return all(Path(path).is_file() and Path(path).read_bytes() == text for path, text in self.lists().items())

    def write(self, folder: Path = Path()) -> None:
        """Write the lists of runs and of figures, which jobs read, below a folder."""
        for path, text in self.lists().items():
            write_if_different(folder / path, text.decode())

    def remove_incomplete_figures(self, folder: Path = Path()) -> None:
        """Remove every figure that shows a run without results; a file that names these runs will replace it."""
        missing = set(self.missing)
        for name, figure in self.figures.items():
            if missing.intersection(figure.runs):
                for path in self.files_of_figure(name):
                    (folder / path).unlink(missing_ok=True)

    def files(self) -> list[str]:
        """Return the files that jobs read."""
        return [self.paths.runs_list, self.paths.figure_plan]

    def lists(self) -> dict[str, bytes]:
        """Return what the files that jobs read have to hold, by their paths."""
        figures = {name: figure.as_json() for name, figure in self.figures.items()}
        return {
            self.paths.runs_list: format_runs_list(list(self.runs)).encode(),
            self.paths.figure_plan: f"{json.dumps(figures, indent=1)}\n".encode(),
        }

    def describe(self, is_stored: bool = False) -> Iterator[str]:
        """Yield lines that tell the user what is planned: runs, hours, data that is not there, and disk space.

        Args:
            is_stored: whether results go to an object store, about whose space nothing is known.
        """
        yield f"Study {self.study.study}: {len(self.runs)} runs, {len(self.missing)} of them to train."
        for path in self.namesakes:
            yield one_line(
                f"WARNING: {path} has a study of the same name, {self.study.study}. Each overwrites the other's tables "
                "and figures. Give one of the two another name."
            )
        if self.missing and find_spec("torch"):
            from anytime_pruning.orchestration.forecast.estimate import describe_cost
            from anytime_pruning.orchestration.forecast.preflight import describe_data, describe_disk

            runs = [self.runs[name] for name in self.missing]
            if estimate := describe_cost(runs, read_machines(project_root() / "benchmarks" / "results")):
                yield estimate
            yield from describe_data(runs)
            if not is_stored:
                yield from describe_disk(runs, self.paths.present_folders())

    @property
    def threads(self) -> int:
        """Return the number of threads that each run computes with."""
        return next(iter(self.runs.values())).execution.threads

    def run_metrics(self) -> list[str]:
        """Return the metrics.json of every run."""
        return [self.paths.run_metrics(name) for name in self.runs]

    def present_run_metrics(self) -> list[str]:
        """Return the metrics.json of every run that has results."""
        return [self.paths.run_metrics(name) for name in self.present_runs()]

    def shown_files(self) -> list[str]:
        """Return every file of every figure and table, the table of claims among them."""
        figures = [file for name in self.figures for file in self.files_of_figure(name)]
        return [*figures, *self.paths.claims_files()]

    def files_of_figure(self, name: str) -> list[str]:
        """Return the files of one figure or table."""
        return [f"{self.paths.figures}/{name}.{kind}" for kind in self.figures[name].kinds]

    def present_runs(self) -> list[str]:
        """Return the names of the runs that have results."""
        missing = set(self.missing)
        return [name for name in self.runs if name not in missing]

    def tables(self) -> list[str]:
        """Return the collected tables."""
        return [self.paths.table(name) for name in COLLECTED_TABLES]

    def figures_with(self, kind: str) -> list[str]:
        """Return the names of the figures that have a file of one kind, such as `pdf`."""
        return [name for name, figure in self.figures.items() if kind in figure.kinds]


def plan(content: Mapping[str, Any], files: Iterable[str] = (), exists: Callable[[str], bool] = os.path.exists) -> Plan:
    """Check a study and plan its runs and figures.

    Args:
        content: the configuration as Snakemake read it.
        files: the configuration files. Each file is read again, because Snakemake silently takes the last value of a
            repeated key.
        exists: says whether a result exists at a path, in the working folder or in an object store.

    Raises:
        SettingError: a setting is not allowed.
        DataError: a configuration file cannot be read.
        OSError: a configuration file cannot be opened.
    """
    paths = [Path(file) for file in files]
    for path in paths:
        read_yaml(path)
    planned = make_plan(content, exists)
    planned = replace(planned, namesakes=tuple(find_namesakes(planned.study.study, paths)))
    check_results_stay(planned.study.study)
    # Names of models and pruners can be checked only with torch. A machine that only draws figures does not need torch.
    if planned.missing and find_spec("torch"):
        from anytime_pruning.orchestration.checks import check_runs

        check_runs(planned.runs[name] for name in planned.missing)
    return planned


def make_plan(content: Mapping[str, Any], exists: Callable[[str], bool] = os.path.exists) -> Plan:
    """Plan the runs and figures of a study whose names were checked before, or need no check.

    Raises:
        SettingError: a setting is not allowed, or an external result belongs to no stream of the study.
        DataError: an external result is damaged.
    """
    study, planned = plan_study(content)
    paths = StudyPaths(study.study)
    external = external_results(RESULTS / study.study)
    check_streams(external, (run.settings for run in planned), "remove the file or move it out of this folder")
    return Plan(
        study=study,
        runs={run.name: run.settings for run in planned},
        missing=tuple(run.name for run in planned if not exists(paths.run_metrics(run.name))),
        figures=plan_figures(planned, study.margins, external),
        paths=paths,
        container=study.container if "://" in study.container else find_file(study.container),
    )
