"""Write and read checkpoints of an unfinished run: safetensors beside JSON, numbered and checksummed.

A checkpoint is a pair of files, `<number>.safetensors` and `<number>.json`. The JSON file is written last and holds the
checksums of both, so a checkpoint is complete if its JSON file exists. A higher number means a newer checkpoint; times
of files are not used, because they depend on a clock that may be wrong. The two newest checkpoints are kept.
"""

import hashlib
import json
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
    """Writes and reads the checkpoints in one folder, and keeps the newest two.

    Args:
        folder: a folder for checkpoints alone; it is made when the first checkpoint is written.
        identity: JSON content by name. A run continues from a checkpoint only if the whole identity is equal.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]):
        self.folder = folder
        # The identity is compared with content that was read from JSON, which turns tuples into lists.
        self._identity = json.loads(json.dumps({"format": FORMAT, **identity}))

    def write(self, content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Path:
        """Add a checkpoint, then remove all but the newest two.

        Args:
            content: JSON content.
            tensors: tensors by name, on any device; tensors that share memory are written separately.

        Raises:
            OSError: the disk is full; earlier checkpoints still exist.
            CapacityError: the disk is full, and safetensors reported the error.
        """
        path = self._path(max(self._numbers(), default=0) + 1)
        copies = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
        write_atomically(path.with_suffix(".safetensors"), lambda partial: save_file(copies, partial))
        digest = file_sha256(path.with_suffix(".safetensors"))
        write_text(path, render(seal({"identity": self._identity, "tensors_sha256": digest, "content": content})))
        for number in sorted(self._numbers())[:-GENERATIONS]:
            # The JSON file is removed first: tensors alone are not a checkpoint, but a JSON file alone would be a
            # damaged one.
            self._path(number).unlink()
            self._path(number).with_suffix(".safetensors").unlink(missing_ok=True)
        return path

    def read(self) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
        """Return the newest undamaged checkpoint, or None; a warning names each damaged checkpoint that is skipped.

        Raises:
            SettingError: the checkpoint belongs to another run; the message names the part of the identity that
                differs.
        """
        numbers = sorted(self._numbers(), reverse=True)
        for number in numbers:
            try:
                content, tensors = self._read(self._path(number))
            except _Damaged as error:
                rest = "the one before is used" if number != numbers[-1] else "the run begins again"
                warn(f"{self._path(number)}: damaged ({error}); {rest}")
                continue
            return content, tensors
        return None

    def exist(self) -> bool:
        """Return whether any checkpoint exists."""
        return bool(self._numbers())

    def _read(self, path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
        try:
            # The file is read as bytes, because reading it as text would hide a changed line break.
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
                    f"{name}: {path} is not allowed: this checkpoint was written by a run with {name} "
                    f"{_show(found, name)}, and this one has {_show(self._identity, name)}; use another folder, or "
                    f"delete {self.folder} to begin anew"
                )

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.json"

    def _numbers(self) -> list[int]:
        return [int(path.stem) for path in self.folder.glob("*.json") if path.stem.isdecimal()]


class _Damaged(Exception):
    """Signals that a checkpoint is damaged; the message says how."""


def _show(identity: Mapping[str, Any], name: str) -> str:
    return show(identity[name]) if name in identity else "its default or none"
