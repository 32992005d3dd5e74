"""Manage the folder of one run: make and lock the folder, and remove the files that killed processes left there."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.files import make_folder, remove_partial
from anytime_pruning.foundation.locks.locks import locked
from anytime_pruning.results import layout


@dataclass(frozen=True)
class RunFolder:
    """Holds the paths of one run.

    Attributes:
        path: folder for config.yaml, the tables and metrics.json.
        weights: file for the final weights.
    """

    path: Path
    weights: Path

    @property
    def checkpoints(self) -> Path:
        """Return the folder of the unfinished run's checkpoints."""
        return self.path / layout.RESUME

    def make(self) -> None:
        """Make the folder of the run and the folder of its weights.

        Raises:
            SettingError: the path for the weights is a folder.
        """
        for folder in (self.path, self.weights.parent):
            make_folder(folder)
        if self.weights.is_dir():
            raise SettingError(f"weights: {self.weights} is not allowed: it is a folder; name a file")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run folder's lock, after waiting if necessary; a process that dies releases its lock."""
        with locked(self.path / layout.LOCK, str(self.path), f"works in {self.path}"):
            yield

    def tidy(self, is_done: bool) -> None:
        """Remove unfinished files of killed processes, and if the run is finished, its checkpoints."""
        places = ((self.path, "*"), (self.checkpoints, "*"), (self.weights.parent, self.weights.name))
        for folder, name in places:
            remove_partial(folder, name)
        if is_done:
            shutil.rmtree(self.checkpoints, ignore_errors=True)
