"""Keep what was measured in one JSON file, which is replaced as a whole after every measurement."""

import json
from pathlib import Path
from threading import RLock
from typing import Any

from anytime_pruning.foundation.errors import DataError, SettingError
from anytime_pruning.foundation.files import remove_partial, write_text

NAME = "gpu-day.json"
DONE, NOT_RUN, FAILED, STOPPED, RUNNING = "done", "not run", "failed", "stopped", "running"
# A part in one of these states is not run again.
FINISHED = (DONE, NOT_RUN)


class Record:
    """Holds the content of the JSON file, and writes it after each change; several threads may make changes.

    Args:
        folder: the folder of the file, which the first change makes; an existing file is gone on with.
        is_rehearsal: whether the numbers come from a rehearsal on a CPU.

    Attributes:
        path: path of the file.
        content: its content: `rehearsal`, `calls`, and `parts` by name, in the order in which they were begun.

    Raises:
        DataError: the file cannot be read.
        SettingError: the file is of a rehearsal and this call is none, or the other way round.
    """

    def __init__(self, folder: Path, is_rehearsal: bool):
        self.path = folder / NAME
        self._lock = RLock()
        self.content: dict[str, Any] = {"rehearsal": is_rehearsal, "calls": [], "parts": {}}
        remove_partial(folder, NAME)
        if self.path.exists():
            self.content = self._read()
        if self.content["rehearsal"] != is_rehearsal:
            found = "is that of a rehearsal" if self.content["rehearsal"] else "is not that of a rehearsal"
            raise SettingError(f"out: {folder} is not allowed: its {NAME} {found}; name another folder")

    def begin_call(self, **facts: Any) -> None:
        """Add a call with given facts to the list of calls."""
        self.content["calls"].append(facts)
        self._write()

    def part(self, name: str) -> dict[str, Any]:
        """Return what is known of a part: `state`, `seconds`, `calls`, `measured` and perhaps `reason`."""
        empty = {"state": None, "seconds": 0.0, "calls": 0, "measured": {}}
        found: dict[str, Any] = self.content["parts"].get(name, empty)
        return found

    def update(self, name: str, **facts: Any) -> None:
        """Set facts of a part."""
        with self._lock:
            self.content["parts"][name] = self.part(name) | facts
            self._write()

    def add(self, name: str, key: str, value: Any) -> None:
        """Add one measurement to a part."""
        with self._lock:
            self.update(name, measured=self.part(name)["measured"] | {key: value})

    def _write(self) -> None:
        write_text(self.path, json.dumps(self.content, indent=1) + "\n")

    def _read(self) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
            if isinstance(content["calls"], list) and isinstance(content["parts"], dict) and "rehearsal" in content:
                return content
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
        raise DataError(f"{self.path}: not a record of benchmarks.gpu_day; name another folder, or delete it")
