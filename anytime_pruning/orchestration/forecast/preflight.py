"""Say before any job starts which data a study lacks, which runs that concerns, and how much disk space it takes.

Importing this module loads torch, because sizes of networks are looked up beside their estimate.
"""

import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from anytime_pruning.datasets.base import DatasetSettings
from anytime_pruning.datasets.cache import is_loadable
from anytime_pruning.foundation.fields import check_folder
from anytime_pruning.orchestration.forecast.estimate import network_parameters
from anytime_pruning.settings.run import RunSettings

BYTES_PER_PARAMETER = 4
# An unfinished run keeps two checkpoints. Each holds the weights, the momentum and the best weights.
COPIES_AT_WORK = 6
# Tables of a run with 50 epochs on each of 100 megabatches; most runs have less.
BYTES_OF_TABLES = 1_000_000
# Less is not worth a line.
WORTH_SAYING_BYTES = 1e9


def describe_data(runs: Iterable[RunSettings]) -> Iterator[str]:
    """Yield a line for data that will be downloaded, and one for data that is missing.

    Args:
        runs: settings of the runs without results.

    Raises:
        SettingError: a file is in the place of `execution.data_dir`.
    """
    waiting: dict[str, list[RunSettings]] = defaultdict(list)
    for settings in runs:
        waiting[settings.dataset.name].append(settings)
    lacking = {name: _path(group[0].dataset) for name, group in waiting.items() if not _is_there(group[0])}
    if fetched := [name for name, path in lacking.items() if path is None]:
        yield f"Data: {' and '.join(fetched)} will be downloaded."
    missing = {name: path for name, path in lacking.items() if path is not None}
    if missing:
        places = " and ".join(f"{name} is not at {path}" for name, path in missing.items())
        failing = sum(len(waiting[name]) for name in missing)
        others = sum(map(len, waiting.values())) - failing
        rest = f"the other {others:,} are trained" if others else "no other run is left"
        yield f"Missing data: {places}. {failing:,} runs fail for this reason; {rest}."


def _is_there(settings: RunSettings) -> bool:
    check_folder("execution.data_dir", settings.execution.data_dir)
    return is_loadable(settings.dataset, settings.execution.data_dir)


def _path(dataset: DatasetSettings) -> Path | None:
    """Return the path that a user gives to a dataset, or None if it is downloaded."""
    path: Path | None = getattr(dataset, "path", None)
    return path


def describe_disk(runs: Iterable[RunSettings], folders: Iterable[Path]) -> Iterator[str]:
    """Yield a line that says how much disk space runs take and how much is free, if that is worth saying.

    Args:
        runs: settings of the runs without results.
        folders: the folders in which results are written; the fullest disk counts.
    """
    sizes = [BYTES_PER_PARAMETER * network_parameters().get(settings.model, 0) for settings in runs]
    stored = sum(size + BYTES_OF_TABLES for size in sizes)
    free = min(shutil.disk_usage(folder).free for folder in folders)
    if stored < WORTH_SAYING_BYTES and free > stored:
        return
    line = f"Disk: about {_gigabytes(stored)} of results, mostly weights"
    if largest := max(sizes, default=0):
        line += f", and up to {_gigabytes(COPIES_AT_WORK * largest)} of checkpoints for each run at work"
    yield f"{line}; {_gigabytes(free)} are free{'' if free > stored else ', which is TOO LITTLE'}."


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:,.1f} GB"
