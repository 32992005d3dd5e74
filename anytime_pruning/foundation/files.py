"""Files that are there whole or not at all, whatever happens to the process that writes them. Torch-free."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

from anytime_pruning.foundation.errors import CapacityError


def write_text(path: Path, text: str) -> None:
    """Write a text file so that it is there whole or not at all."""
    write_atomically(path, lambda partial: partial.write_text(text))


def write_if_different(path: Path, text: str) -> None:
    """Write a text file unless it holds just that already, so that its time tells when its content changed."""
    if not path.exists() or path.read_text() != text:
        write_text(path, text)


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill an empty file beside the path, then move it there; nothing is left behind if it fails.

    On the disk before it has its name, so that a machine that loses power leaves no empty file of that name. Readable
    for whom the umask says, also where a library would make it its owner's alone, as safetensors does.

    Raises:
        OSError: it cannot be written; names the path.
        CapacityError: the same, said by safetensors.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        partial.touch()
        mode = partial.stat().st_mode
        write(partial)
        partial.chmod(mode)
        _flush(partial)
        os.replace(partial, path)
        _flush(path.parent)
    except OSError as error:
        # Which file it was the system says when one is opened, but not when a full disk stops what is written to it.
        error.filename = str(path)
        raise
    except SafetensorError as error:
        raise CapacityError(f"{path} cannot be written: {error}") from None
    finally:
        partial.unlink(missing_ok=True)


def remove_partial(folder: Path, name: str = "*") -> None:
    """Remove what processes that were killed while they wrote a file left in a folder; nobody may be writing there."""
    for path in folder.glob(f".{name}.partial-*"):
        path.unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """Have a file, or the names in a folder, written to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
