"""Stored results, checked again: checksums, names, numbers, weights, tables, and the networks themselves."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from anytime_pruning import RESULTS_VERSION
from anytime_pruning.foundation.errors import ArtifactError, DataError, SettingError, show
from anytime_pruning.foundation.safe_text import read_yaml
from anytime_pruning.results import layout
from anytime_pruning.results.store import TABLES, check_files, read_metrics
from anytime_pruning.settings.run import RunSettings, parse_settings
from anytime_pruning.verification.consistency import Rows, find_inconsistencies
from anytime_pruning.verification.findings import Verification

if TYPE_CHECKING:
    from anytime_pruning.verification.reevaluation import Evaluator


def verify(paths: Sequence[Path], evaluate: bool = True, data_dir: Path | None = None) -> Iterator[Verification]:
    """Check everything stored below some folders; what is found so far, after each run.

    Args:
        paths: folders of runs, of studies, or of many.
        evaluate: test stored networks again where their weights and their data are there.
        data_dir: of downloads and cache, where a run's settings do not say the right one.

    Raises:
        SettingError: a path holds no run.
    """
    found = [_find(path) for path in paths]
    done, evaluator = Verification(), _make_evaluator(data_dir) if evaluate else None
    for path, (folders, unfinished, tables) in zip(paths, found):
        if unfinished:
            done.notes[f"{path}: {len(unfinished)} runs are not finished"] += 1
        for folder in folders:
            _Run(folder, done, evaluator).check()
            yield done
        for folder in tables:
            done.counts["tables of studies"] += 1
            done.problems += check_tables(folder)
            yield done
    yield done


def _make_evaluator(data_dir: Path | None) -> "Evaluator":
    from anytime_pruning.verification.reevaluation import Evaluator  # torch

    return Evaluator(data_dir)


def _find(path: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Folders of finished runs, of those that were begun, and of collected tables."""
    folders = {file.parent for file in path.rglob(layout.METRICS) if file.parent.name != "metrics"}
    signs = (file.parent for name in (layout.RESUME, layout.CONFIG) for file in path.rglob(name))
    unfinished = set(signs) - folders
    if not folders and not unfinished:
        raise SettingError(f"paths: {path} is not allowed: it holds no run; name a folder of results")
    tables = {folder.parent / "tables" for folder in path.rglob("runs") if folder.is_dir()}
    return sorted(folders), sorted(unfinished), sorted(folder for folder in tables if folder.is_dir())


def check_tables(tables: Path) -> Iterator[str]:
    """The collected tables of a study are what its runs come to."""
    from anytime_pruning.results.collect import collect, names_in

    runs_dir, list_of_runs = tables.parent / "runs", tables / "runs.csv"
    try:
        names = names_in(list_of_runs)
    except DataError as error:
        yield str(error)
        return
    if strangers := [name for name in names if not (runs_dir / name / layout.METRICS).exists()]:
        yield f"{list_of_runs}: names {show(strangers[0])}, which is no finished run in {runs_dir}"
        return
    try:
        with tempfile.TemporaryDirectory() as folder:
            collect(names, runs_dir, Path(folder))
            for again in sorted(Path(folder).iterdir()):
                stored = tables / again.name
                if not stored.exists() or stored.read_bytes() != again.read_bytes():
                    yield f"{stored}: is not what collecting its runs again gives"
    except ArtifactError as error:
        yield f"{tables}: cannot be collected again: {error}"


class _Run:
    """One run's folder, checked from what everything rests on to what rests on it."""

    def __init__(self, folder: Path, done: Verification, evaluator: "Evaluator | None"):
        self.folder, self.done, self.evaluator = folder, done, evaluator

    def check(self) -> None:
        """Note all problems of this run."""
        self.done.counts["runs"] += 1
        problems = len(self.done.problems)
        try:
            content = read_metrics(self.folder)
            self._expect(layout.METRICS, "results_version", content.get("results_version"), RESULTS_VERSION)
            for name in (layout.CONFIG, *TABLES):
                self._guard(check_files, self.folder, content, [name])
            if len(self.done.problems) > problems:
                return  # numbers in files that are not those that were written would be named once more
            settings = parse_settings(read_yaml(self.folder / layout.CONFIG))
            self._check_names(settings, content)
            rows = Rows.read(self.folder)
            for name, problem in find_inconsistencies(settings, content, rows):
                self._add(name, problem)
            self._check_weights(settings, content, rows)
        except ArtifactError as error:
            self.done.problems.append(str(error))

    def _check_names(self, settings: RunSettings, content: dict[str, Any]) -> None:
        """Settings, digest and the folder's name say the same."""
        self._expect(layout.METRICS, "digest", content.get("digest"), settings.digest())
        self._expect(layout.METRICS, "seed", content.get("seed"), settings.seed)
        name = Path(layout.run_name(settings))
        folder = self.folder.resolve()
        root = Path(*folder.parts[: -len(name.parts)])
        # A folder that a user named is not one that a study did.
        if root.name == "runs" and folder != root / name:
            self.done.problems.append(f"{self.folder}: its settings are those of a run that is named {name}")

    def _check_weights(self, settings: RunSettings, content: dict[str, Any], rows: Rows) -> None:
        """The stored network is the one that was counted and tested."""
        try:
            path = layout.find_weights(self.folder)
        except DataError:
            self.done.notes["runs whose weights are not there: nothing is tested again"] += 1
            return
        self.done.counts["with weights"] += 1
        problems = len(self.done.problems)
        self._guard(check_files, path.parent, content, [layout.WEIGHTS])
        if len(self.done.problems) > problems:
            return
        try:
            weights = load_file(path)
        except (OSError, SafetensorError) as error:
            self.done.problems.append(f"{path}: not readable ({error})")
            return
        for name, array in weights.items():
            if not np.isfinite(array).all():
                self.done.problems.append(f"{path}: {name} has values that are no numbers")
        last = rows.megabatches[-1]
        for row in (row for row in rows.layers if row.t == last.t):
            counted = weights[row.layer] if row.layer in weights else np.empty(0)
            if (np.count_nonzero(counted), counted.size) != (row.kept, row.total):
                found = f"{np.count_nonzero(counted)} of {counted.size} weights are not zero"
                said = f"layers.csv says {row.kept} of {row.total}"
                self.done.problems.append(f"{path}: {row.layer}: {found}, but {said}")
        if self.evaluator:
            self.evaluator.check(self.folder, path, settings, content, rows, self.done)

    def _expect(self, file: str, what: str, found: Any, expected: Any) -> None:
        if found != expected:
            self._add(file, f"{what} is {found}, expected {expected}")

    def _guard(self, check: Any, *arguments: Any) -> None:
        try:
            check(*arguments)
        except ArtifactError as error:
            self.done.problems.append(str(error))

    def _add(self, file: str, problem: str) -> None:
        self.done.problems.append(f"{self.folder / file}: {problem}")
