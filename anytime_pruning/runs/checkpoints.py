"""Checkpoints of an unfinished run: safetensors beside JSON, numbered, checksummed, the two newest kept.

A checkpoint is `<number>.safetensors` and `<number>.json`, which is written last and holds the checksum of both: where
it is, the checkpoint is whole. Numbers say which is newer; times of files, which a wrong clock spoils, say nothing.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load, save_file
from torch import Tensor

from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.errors import SettingError, show
from anytime_pruning.foundation.files import file_sha256, write_atomically, write_text
from anytime_pruning.results.store import render, seal

FORMAT = 1
GENERATIONS = 2


class Checkpoints:
    """The checkpoints in one folder.

    Args:
        folder: holds nothing else; made when the first is written.
        identity: JSON content, all that must be the same for a run to go on from a checkpoint, by name.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]):
        self.folder = folder
        # As it will be read again: tuples are lists in JSON.
        self._identity = json.loads(json.dumps({"format": FORMAT, **identity}))

    def write(self, content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Path:
        """Add a checkpoint, then remove all but the newest two.

        Args:
            content: JSON.
            tensors: on any device; those that share memory are written each for itself.

        Raises:
            OSError, CapacityError: the disk is full. What was there before stays.
        """
        path = self._path(max(self._numbers(), default=0) + 1)
        copies = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
        write_atomically(path.with_suffix(".safetensors"), lambda partial: save_file(copies, partial))
        digest = file_sha256(path.with_suffix(".safetensors"))
        write_text(path, render(seal({"identity": self._identity, "tensors_sha256": digest, "content": content})))
        for number in sorted(self._numbers())[:-GENERATIONS]:
            # The JSON first: tensors without it are no checkpoint, JSON without tensors would be a damaged one.
            self._path(number).unlink()
            self._path(number).with_suffix(".safetensors").unlink(missing_ok=True)
        return path

    def read(self) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
        """The newest checkpoint that is whole, or None; damaged ones are named in a warning and passed over.

        Raises:
            SettingError: it is of another run; the message names what differs.
        """
        numbers = sorted(self._numbers(), reverse=True)
        for number in numbers:
            try:
                content, tensors = self._read(self._path(number))
            except _Damaged as error:
                rest = "the one before is used" if number != numbers[-1] else "the run begins anew"
                warn(f"{self._path(number)}: damaged ({error}); {rest}")
                continue
            return content, tensors
        return None

    def exist(self) -> bool:
        """Whether there is any."""
        return bool(self._numbers())

    def clear(self) -> None:
        """Remove all of them: the run is done."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self, path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
        try:
            # As bytes: of text, a changed line break would not show.
            written = path.read_bytes()
            whole = json.loads(written)
            is_whole = isinstance(whole, dict) and written == render(seal(whole)).encode()
        except (OSError, ValueError, RecursionError) as error:
            raise _Damaged(f"not readable, {type(error).__name__}") from None
        if not is_whole:
            raise _Damaged("it does not match its own sha256")
        self._refuse_another(whole["identity"], path)
        packed = path.with_suffix(".safetensors")
        try:
            data = packed.read_bytes()
        except OSError as error:
            raise _Damaged(f"{packed.name}: {error.strerror}") from None
        if hashlib.sha256(data).hexdigest() != whole["tensors_sha256"]:
            raise _Damaged(f"{packed.name} does not match its sha256")
        return whole["content"], load(data)

    def _refuse_another(self, found: Mapping[str, Any], path: Path) -> None:
        for name in sorted({*found, *self._identity}):
            if found.get(name) != self._identity.get(name):
                raise SettingError(
                    f"{name}: {path} is not allowed: it is a checkpoint of a run with {name} {_show(found, name)}, "
                    f"and this one has {_show(self._identity, name)}; name another folder, or remove {self.folder} to "
                    "begin anew"
                )

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.json"

    def _numbers(self) -> list[int]:
        return [int(path.stem) for path in self.folder.glob("*.json") if path.stem.isdecimal()]


class _Damaged(Exception):
    """A checkpoint is not what was written; says why."""


def _show(identity: Mapping[str, Any], name: str) -> str:
    return show(identity[name]) if name in identity else "its default"
