"""Make the folder that a loss of power leaves, from a journal of `recording.py`."""

import base64
import json
import os
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.power_loss.recording import ROOT_FOLDER

PAGE = 4096
Event = dict[str, Any]


@dataclass(frozen=True)
class Journal:
    """Holds the recorded events.

    Attributes:
        before: events that make what existed before the recording; all of it is durable.
        events: what happened since then.
    """

    before: list[Event]
    events: list[Event]

    @classmethod
    def read(cls, path: Path) -> "Journal":
        """Read the lines of a journal; a line that is cut off is an error."""
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        start = next(index for index, line in enumerate(lines) if line["event"] == "start")
        return cls(lines[:start], lines[start + 1 :])

    def lose(self, n_events: int, kept_share: float, draw: random.Random, folder: Path) -> int:
        """Make a folder as a loss of power after some events leaves it.

        Args:
            n_events: number of events that happened before the loss.
            kept_share: probability that a change which was not durable is there nevertheless.
            draw: source of the choice; pages of a file are kept or lost one by one.
            folder: path of the folder to make.

        Returns:
            The number of changes that were lost.
        """
        changes = _split(self.events[:n_events])
        kept = [c for c, is_safe in zip(changes, _durable(changes)) if is_safe or draw.random() < kept_share]
        disk = _Disk()
        for change in (*_split(self.before), *kept):
            disk.do(change)
        disk.write(folder)
        return len(changes) - len(kept)


def _split(events: list[Event]) -> list[Event]:
    """Split writes into pages, because a part of a write may reach the disk."""
    changes = []
    for event in events:
        if event["event"] != "write":
            changes.append(event)
            continue
        data, offset = base64.b64decode(event["data"]), event["offset"]
        starts = [0, *range(PAGE - offset % PAGE, len(data), PAGE)]
        for start, end in zip(starts, [*starts[1:], len(data)]):
            changes.append(event | {"offset": offset + start, "data": data[start:end]})
    return changes


def _durable(changes: list[Event]) -> list[bool]:
    """Return for each change whether it was durable in the end.

    `fsync` of a file makes its content durable, and not its name. `fsync` of a folder makes the names in it durable.
    """
    durable = [False] * len(changes)
    waiting: dict[int, list[int]] = {}
    for index, change in enumerate(changes):
        if change["event"] == "sync":
            for earlier in waiting.pop(change["number"], []):
                durable[earlier] = True
        # A name belongs to its folders, and everything else to the file itself.
        for number in change.get("folders", [change["number"]]):
            waiting.setdefault(number, []).append(index)
    return durable


@dataclass
class _Disk:
    """Holds files and folders by number.

    Attributes:
        names: for each folder, the numbers in it by name.
        contents: content of each file.
        times: modification time of each file, in nanoseconds.
        links: target of each symbolic link.
    """

    names: dict[int, dict[str, int]] = field(default_factory=lambda: {ROOT_FOLDER: {}})
    contents: dict[int, bytearray] = field(default_factory=dict)
    times: dict[int, int] = field(default_factory=dict)
    links: dict[int, str] = field(default_factory=dict)

    def do(self, change: Event) -> None:
        """Make a change; what it builds on may have been lost."""
        number = change["number"]
        folders = [self.names.setdefault(folder, {}) for folder in change.get("folders", [])]
        match change["event"]:
            case "make":
                folders[0][change["name"]] = number
                if change["kind"] == "folder":
                    self.names.setdefault(number, {})
                elif change["kind"] == "link":
                    self.links[number] = change["target"]
            case "move":
                if folders[0].get(change["name"]) == number:
                    del folders[0][change["name"]]
                folders[1][change["new"]] = number
            case "remove":
                if folders[0].get(change["name"]) == number:
                    del folders[0][change["name"]]
            case "write":
                start, data = change["offset"], change["data"]
                self._grow(number, start)[start : start + len(data)] = data
                self.times[number] = change["ns"]
            case "cut":
                del self._grow(number, change["size"])[change["size"] :]
                self.times[number] = change["ns"]
            case "time":
                self.times[number] = change["at"]

    def _grow(self, number: int, size: int) -> bytearray:
        """Return the content of a file, filled with zeros up to a size."""
        content = self.contents.setdefault(number, bytearray())
        content.extend(bytes(max(0, size - len(content))))
        return content

    def write(self, folder: Path, number: int = ROOT_FOLDER) -> None:
        """Write a folder and all in it."""
        folder.mkdir()
        for name, inner in self.names[number].items():
            path = folder / name
            if inner in self.names:
                self.write(path, inner)
            elif inner in self.links:
                path.symlink_to(self.links[inner])
            else:
                path.write_bytes(self.contents.get(inner, b""))
                if inner in self.times:
                    os.utime(path, ns=(self.times[inner], self.times[inner]))
