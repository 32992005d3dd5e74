"""Make texts of tables, write files so that a crash never leaves half a file, and compute digests of files."""

import csv
import errno
import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from safetensors import SafetensorError

from anytime_pruning.foundation.errors import CapacityError


def write_text(path: Path, text: str) -> None:
    """Write a text file so that it exists either whole or not at all.

    The bytes depend on the text alone: UTF-8 and line feeds, whatever the locale and the system.
    """
    write_atomically(path, lambda partial: partial.write_text(text, encoding="utf-8", newline="\n"))


def csv_text(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a CSV table with line feeds, a row of names first; None becomes an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def write_if_different(path: Path, text: str) -> None:
    """Write a text file unless it already holds this text, so that its modification time is that of the last change."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)


def write_atomically(path: Path, write: Callable[[Path], object], as_shared: bool = False) -> None:
    """Let a function write a temporary file beside a path, then move the file to the path.

    The content is flushed to the disk before the file gets its final name, so that a power failure cannot leave an
    empty file of that name. The file gets the permissions of the umask even if a library narrows them, as safetensors
    does. After a failure, the temporary file is removed.

    Args:
        path: path of the finished file; missing folders are made.
        write: a function that takes the path of the temporary file and fills this file.
        as_shared: whether users who may write to the folder may read the file, whatever the umask.

    Raises:
        OSError: the file cannot be written; the error names `path`.
        CapacityError: safetensors cannot write the file.
    """
    make_folder(path.parent)
    partial = _partial(path)
    try:
        partial.touch()
        mode = partial.stat().st_mode | (_shared_rights(path.parent) if as_shared else 0)
        write(partial)
        partial.chmod(mode)
        _flush(partial)
        os.replace(partial, path)
        _flush(path.parent)
    except OSError as error:
        # The operating system names the file when opening fails, but not when the disk becomes full during writing.
        error.filename = str(path)
        raise
    except SafetensorError as error:
        raise CapacityError(f"{path} cannot be written: {error}") from None
    finally:
        partial.unlink(missing_ok=True)


def link_atomically(path: Path, name: Path) -> None:
    """Give a file a second name in its folder, in place of any file of that name.

    Raises:
        OSError: the file system has no such links, or the other file may not be replaced.
    """
    partial = _partial(name)
    try:
        os.link(path, partial)
        os.replace(partial, name)
    finally:
        # Where both names are this file's already, replacing one by the other leaves both.
        partial.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, unless they exist.

    Their names are flushed to the disk, because a power failure that took a folder's name would take all files in it.

    Raises:
        OSError: a folder cannot be made.
    """
    missing = [above for above in (folder, *folder.parents) if not above.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        _flush(made.parent)


def make_as_shared(folder: Path) -> None:
    """Let the users who may write to the folder above a folder write to this one, too, whatever the umask.

    The folder is made if it is missing. It may be there already, because Snakemake makes folders before jobs start.
    """
    make_folder(folder)
    above, status = stat.S_IMODE(folder.parent.stat().st_mode), folder.stat()
    if is_shared(folder.parent) and status.st_uid == os.getuid():
        # This includes the bits by which new files get the folder's group, and by which only their owners remove them.
        folder.chmod(stat.S_IMODE(status.st_mode) | above & 0o3077)


def is_shared(folder: Path) -> bool:
    """Return whether the group or others may write to a folder."""
    return bool(folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _shared_rights(folder: Path) -> int:
    """Return the rights to a file in a folder for those beside its owner who may write to the folder, or 0."""
    return folder.stat().st_mode & 0o066 if is_shared(folder) else 0


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial-{os.getpid()}")


def remove_partial(folder: Path, name: str = "*") -> None:
    """Remove unfinished files that killed processes left in a folder.

    Args:
        folder: a folder in which no other process is writing.
        name: name of the intended file; the default stands for all files.
    """
    for path in folder.glob(f".{name}.partial-*"):
        path.unlink(missing_ok=True)


def walk(folder: Path) -> Iterator[Path]:
    """Yield every file and folder below a folder, also those behind symbolic links, which `Path.rglob` does not enter.

    A link that leads back to a folder above it is yielded and not entered. A folder with two names is entered by both.

    Raises:
        OSError: a folder cannot be looked into. What it holds is not known, so that nothing may be called missing.
    """
    yield from _walk(folder, frozenset())


def _walk(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    try:
        status = folder.stat()
        with os.scandir(folder) as entries:
            names = sorted((entry.name, entry.is_symlink() or entry.is_dir()) for entry in entries)
    except OSError as error:
        # A link may lead to a file or nowhere, and another process may have removed what was listed a moment ago.
        if error.errno in (errno.ENOTDIR, errno.ENOENT, errno.ELOOP):
            return
        raise
    if (identity := (status.st_dev, status.st_ino)) in above:
        return
    for name, may_be_folder in names:
        yield folder / name
        if may_be_folder:
            yield from _walk(folder / name, above | {identity})


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint_files(folder: Path, names: Iterable[str]) -> str:
    """Return a cheap digest that changes with the name, size or times of any of the files.

    The time of the last change of the inode tells that two files of one size and date have swapped their names. The
    number of the inode would tell it, too, but some network file systems number their files anew for each mount.

    Args:
        folder: the folder that holds the files.
        names: paths of the files relative to the folder; their order matters.

    Raises:
        OSError: a file does not exist.
    """
    digest = hashlib.sha256()
    for name in names:
        status = os.stat(folder / name)
        line = f"{name} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}\n"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _flush(path: Path) -> None:
    """Force the content of a file, or the names in a folder, onto the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
