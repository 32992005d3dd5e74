"""Find the inputs of the rules of the workflow: files of the project, and data."""

from collections.abc import Iterable
from pathlib import Path

from anytime_pruning.datasets.cache import cache_path
from anytime_pruning.orchestration.places import project_root
from anytime_pruning.orchestration.study_paths import StudyPaths
from anytime_pruning.settings.run import RunSettings


def find_file(path: str) -> str:
    """Return the path of a file in the working folder, or of the project's own file if the working folder has none.

    If neither file exists, the path is returned as it was given, so that messages name the path that the user wrote.
    """
    own = project_root() / path
    return path if Path(path).exists() or not own.exists() else str(own)


def data_of_run(paths: StudyPaths, name: str, settings: RunSettings) -> list[str]:
    """Return the cached dataset for which a run has to wait, or an empty list if the data or the results are there.

    Snakemake repeats every job whose input is made again. If finished runs had this input, a clone with results but
    without data would train every run again as soon as one run is missing. And Snakemake fails a job whose input is
    dated in the future, although the content of the data decides and not its time.
    """
    cache = cache_file(settings)
    return [] if paths.is_done(name) or Path(cache).exists() else [cache]


def runs_by_cache_file(runs: Iterable[RunSettings]) -> dict[str, RunSettings]:
    """Return one run for each cached dataset, by the path of the cache."""
    return {cache_file(settings): settings for settings in runs}


def cache_file(settings: RunSettings) -> str:
    """Return the path of the cached dataset of a run."""
    return str(cache_path(settings.dataset, settings.execution.data_dir))
