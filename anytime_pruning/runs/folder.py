"""Manage the folder of one run: who works in it, what a killed process left there, and whether the run is done."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.files import remove_partial
from anytime_pruning.results import layout


@dataclass(frozen=True)
class RunFolder:
    """Holds the places of one run.

    Attributes:
        path: folder for config.yaml, the tables and metrics.json.
        weights: file for the final weights.
    """

    path: Path
    weights: Path

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints of the unfinished run."""
        return self.path / layout.RESUME

    def make(self) -> None:
        """Make the folders.

        Raises:
            SettingError: the file for the weights is a folder.
        """
        for folder in (self.path, self.weights.parent):
            folder.mkdir(parents=True, exist_ok=True)
        if self.weights.is_dir():
            raise SettingError(f"weights: {self.weights} is not allowed: it is a folder; name a file")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run folder's lock, waiting for it if needed. The system releases the lock of a process that died."""
        lock = FileLock(self.path / layout.LOCK)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            print(f"waiting for another process that works in {self.path}", flush=True)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def tidy(self, is_done: bool) -> None:
        """Remove files that killed processes had begun, and the checkpoints of a run that is done."""
        places = ((self.path, "*"), (self.checkpoints, "*"), (self.weights.parent, self.weights.name))
        for folder, name in places:
            remove_partial(folder, name)
        if is_done:
            shutil.rmtree(self.checkpoints, ignore_errors=True)
