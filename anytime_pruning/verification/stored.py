"""Check stored results for the command line: find runs and tables, run the checks, and gather the findings."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from anytime_pruning import RESULTS_VERSION
from anytime_pruning.foundation.errors import ArtifactError, DataError, SettingError, first_line
from anytime_pruning.foundation.files import walk
from anytime_pruning.foundation.safe_text import read_yaml
from anytime_pruning.results import layout
from anytime_pruning.results.metrics_file import MetricsFile
from anytime_pruning.results.store import check_files, read_metrics
from anytime_pruning.settings.naming import run_name
from anytime_pruning.settings.run import parse_settings
from anytime_pruning.verification.comparison import BY_SETTINGS, check_equal
from anytime_pruning.verification.consistency import find_inconsistencies
from anytime_pruning.verification.findings import Finding, Verification, count, note, problem
from anytime_pruning.verification.left_over import describe_left_over
from anytime_pruning.verification.stored_run import Rows, StoredRun
from anytime_pruning.verification.weights import check_weights

if TYPE_CHECKING:
    from anytime_pruning.verification.reevaluation import Evaluator


def verify(paths: Sequence[Path], evaluate: bool = True, data_dir: Path | None = None) -> Iterator[Verification]:
    """Check everything stored below some folders.

    Args:
        paths: folders of runs or of studies, or folders that hold such folders.
        evaluate: whether to test stored networks again if their weights and images exist.
        data_dir: folder of downloads and cache; None means the folder that the settings of each run name.

    Yields:
        The same object after each run and after each study's tables, with all findings so far.

    Raises:
        SettingError: a path holds no run.
    """
    found = [find_stored(path) for path in paths]
    done, evaluator = Verification(), _make_evaluator(data_dir) if evaluate else None
    for path, (folders, unfinished, tables) in zip(paths, found):
        if unfinished:
            done.add(note(f"{path}: {len(unfinished)} runs are not finished"))
        for folder in folders:
            _gather(check_run(folder, evaluator), done)
            yield done
        for folder in tables:
            _gather(_check_tables(folder), done)
            yield done
        for folder in _studies_in(walk(path)):
            _gather(describe_left_over(folder), done)
    yield done


def check_run(folder: Path, evaluator: "Evaluator | None" = None) -> Iterator[Finding]:
    """Check one run, beginning with its files, on which all other checks depend.

    Args:
        folder: folder of the run.
        evaluator: tests the stored network again; None skips this test.

    Yields:
        Counts, notes and problems; each problem names the path of its file.
    """
    yield count("runs")
    try:
        metrics = read_metrics(folder)
        damages = [*_check_version(folder, metrics), *_check_checksums(folder, metrics, layout.TEXTS)]
        yield from damages
        if damages:
            # Checks of the numbers in changed files would only repeat these problems.
            return
        settings = parse_settings(read_yaml(folder / layout.CONFIG))
        run = StoredRun(folder, settings, metrics, Rows.read(folder), _find_weights(folder))
        yield from map(run.locate, _check_names(run))
        yield from map(run.locate, find_inconsistencies(run.settings, metrics, run.rows))
        yield from _check_network(run, evaluator)
    except ArtifactError as error:
        yield problem(str(error))
    except Exception as error:
        # Whatever a user's own network raises concerns this run alone; the others are still checked.
        yield problem(f"{folder}: cannot be checked: {type(error).__name__}: {first_line(error)}")


def _gather(findings: Iterable[Finding], done: Verification) -> None:
    for finding in findings:
        done.add(finding)


def _make_evaluator(data_dir: Path | None) -> "Evaluator":
    # The import is inside the function: only this module needs torch, which loads slowly and may not be installed.
    from anytime_pruning.verification.reevaluation import Evaluator

    return Evaluator(data_dir)


def _check_tables(folder: Path) -> Iterator[Finding]:
    # The import is inside the function: only this check needs pandas, and loading pandas takes longer than checking a
    # run.
    from anytime_pruning.verification.tables import check_tables

    return check_tables(folder)


def find_stored(path: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Find the folders of finished runs, of unfinished runs and of collected tables, also behind symbolic links.

    Raises:
        SettingError: the path holds no run.
    """
    below = list(walk(path))
    folders = {file.parent for file in below if file.name == layout.METRICS and file.parent.name != "metrics"}
    unfinished = {file.parent for file in below if file.name in (layout.RESUME, layout.CONFIG)} - folders
    if not folders and not unfinished:
        raise SettingError(f"paths: {path} is not allowed: it holds no run; name a folder of results")
    tables = [study / "tables" for study in _studies_in(below)]
    return sorted(folders), sorted(unfinished), [folder for folder in tables if folder.is_dir()]


def _studies_in(paths: Iterable[Path]) -> list[Path]:
    return sorted({path.parent for path in paths if path.name == "runs" and path.is_dir()})


def _find_weights(folder: Path) -> Path | None:
    try:
        return layout.find_weights(folder)
    except DataError:
        return None


def _check_version(folder: Path, metrics: MetricsFile) -> Iterator[Finding]:
    version = metrics.results_version
    for finding in check_equal("results_version", version, RESULTS_VERSION, layout.METRICS, "this code makes it"):
        yield finding.at(folder / layout.METRICS)


def _check_checksums(folder: Path, metrics: MetricsFile, names: Iterable[str]) -> Iterator[Finding]:
    for name in names:
        try:
            check_files(folder, metrics.files, [name])
        except DataError as error:
            yield problem(str(error))


def _check_names(run: StoredRun) -> Iterator[Finding]:
    """Check that the digest, the seed and the name of the folder follow from the settings."""
    yield from check_equal("digest", run.metrics.digest, run.settings.digest(), layout.METRICS, BY_SETTINGS)
    yield from check_equal("seed", run.metrics.seed, run.settings.seed, layout.METRICS, BY_SETTINGS)
    name = Path(run_name(run.settings))
    # The name is that of a link, wherever the link leads.
    folder = Path(os.path.abspath(run.folder))
    root = Path(*folder.parts[: -len(name.parts)])
    # Users may give their own folders any name, but folders below `runs` get their names from a study.
    if root.name == "runs" and folder != root / name:
        yield problem(f"{run.folder}: its settings are those of a run that is named {name}")


def _check_network(run: StoredRun, evaluator: "Evaluator | None") -> Iterator[Finding]:
    """Check that the stored network has the weights that were counted and makes the errors that were stored."""
    if run.weights is None:
        yield note("runs whose weights are not there: nothing is tested again")
        return
    if run.weights.name == layout.SPARSE_WEIGHTS:
        if evaluator is None:
            yield note("runs with sparse weights, which are only read where networks are tested again")
            return
        with evaluator.unpacked(run.weights) as dense:
            yield from _check_dense(run, dense, evaluator)
    else:
        yield from _check_dense(run, run.weights, evaluator)


def _check_dense(run: StoredRun, weights: Path, evaluator: "Evaluator | None") -> Iterator[Finding]:
    """Check a file of weights that holds every zero, which may have been unpacked from the run's own file."""
    yield count("with weights")
    damages = list(_check_checksums(weights.parent, run.metrics, [layout.WEIGHTS]))
    if damages and weights != run.weights:
        damages = [run.locate(problem("holds other weights than those that metrics.json names", layout.WEIGHTS))]
    yield from damages
    if not damages:
        yield from map(run.locate, check_weights(weights, run.rows))
        if evaluator:
            yield from map(run.locate, evaluator.check(run))
