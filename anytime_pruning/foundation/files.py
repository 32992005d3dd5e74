"""Write files that exist either whole or not at all, whatever happens to the writing process, and digest files."""

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from safetensors import SafetensorError

from anytime_pruning.foundation.errors import CapacityError


def write_text(path: Path, text: str) -> None:
    """Write a text file so that it exists either whole or not at all."""
    write_atomically(path, lambda partial: partial.write_text(text))


def write_if_different(path: Path, text: str) -> None:
    """Write a text file unless it already holds this text, so that its time tells when its content changed."""
    if not path.exists() or path.read_text() != text:
        write_text(path, text)


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let a function fill an empty file beside a path, then move the file to the path.

    The content reaches the disk before the name does, so that a power failure leaves no empty file of that name. The
    file gets the permissions of the umask even if a library narrows them, as safetensors does. A failure leaves nothing
    behind.

    Args:
        path: where the finished file is to appear; missing folders are made.
        write: fills the file whose path it is given.

    Raises:
        OSError: the file cannot be written; the error names `path`.
        CapacityError: safetensors cannot write the file.
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
        # The system names the file when opening fails, but not when a full disk stops the writing.
        error.filename = str(path)
        raise
    except SafetensorError as error:
        raise CapacityError(f"{path} cannot be written: {error}") from None
    finally:
        partial.unlink(missing_ok=True)


def remove_partial(folder: Path, name: str = "*") -> None:
    """Remove unfinished files that killed processes left in a folder.

    Args:
        folder: a folder in which no other process is writing.
        name: name of the intended file; the default stands for all files.
    """
    for path in folder.glob(f".{name}.partial-*"):
        path.unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint_files(folder: Path, names: Iterable[str]) -> str:
    """Return a digest of the names, sizes and times of files: cheap, and different whenever a file changes.

    Args:
        folder: the folder that holds the files.
        names: paths of the files relative to the folder; their order matters.

    Raises:
        OSError: a file does not exist.
    """
    digest = hashlib.sha256()
    for name in names:
        status = os.stat(folder / name)
        digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _flush(path: Path) -> None:
    """Force the content of a file, or the names in a folder, onto the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
