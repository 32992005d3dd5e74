"""The files of an image folder, whether they lie in a folder, a tar or a zip. Nothing is unpacked to disk."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from anytime_pruning.datasets.archives import CORRUPT, check_size, iterate_members
from anytime_pruning.foundation.errors import DataError

SPLITS = ("train", "test")
SUFFIXES = {".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
ARCHIVES = (".tar", ".tar.xz", ".tar.gz", ".zip")


@dataclass(frozen=True)
class PackedFile:
    """One image file: `key` is (split, class, file name), `where` names it for messages."""

    key: tuple[str, str, str]
    content: bytes
    where: str


@contextmanager
def whole_archive(path: Path) -> Iterator[None]:
    """Around all reading of a folder or archive: what is wrong with it becomes one error.

    Raises:
        DataError: there is no such folder or archive, it is of another kind, or it is corrupt.
    """
    _check_kind(path)
    try:
        yield
    except CORRUPT as error:
        if path.is_dir():
            raise
        raise DataError(f"{path}: the archive is corrupt ({error}); fetch it again") from None


def iterate_files(path: Path) -> Iterator[PackedFile]:
    """The image files, one after another.

    Raises:
        DataError: a file cannot be read, or is none.
    """
    if path.is_dir():
        for member in _members(path):
            if key := _key(member):
                yield PackedFile(key, read_file(path / member), str(path / member))
        return
    for member in iterate_members(path):
        if not member.is_folder and (key := _key(member.name)):
            if not member.is_file:
                raise DataError(
                    f"{member.where}: is a link, a pipe or a device; pack the file itself (tar --dereference)"
                )
            yield PackedFile(key, member.read(), member.where)


def read_file(path: Path) -> bytes:
    """The content of an image file.

    Raises:
        DataError: it is missing, too large, or no file: a pipe would be waited for, a device read without end.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{path}: is no file; replace or remove it")
        check_size(str(path), status.st_size)
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; fetch the file again, or remove it") from None


def list_folders(path: Path) -> set[tuple[str, str]]:
    """Every (split, class) that has a folder of its own, even an empty one."""
    if path.is_dir():
        members = [f"{split}/{sub.name}" for split in SPLITS for sub in _folders(path / split)]
    else:
        members = [member.name for member in iterate_members(path) if member.is_folder]
    parts = [_parts(member)[-2:] for member in members]
    return {tuple(part) for part in parts if len(part) == 2 and part[0] in SPLITS and not part[1].startswith(".")}


def count_images(path: Path) -> int | None:
    """How many images there are, where that is cheap to know (a compressed tar would be read twice)."""
    if path.is_dir():
        return sum(_key(member) is not None for member in _members(path))
    if path.suffix == ".zip":
        return sum(not member.is_folder and _key(member.name) is not None for member in iterate_members(path))
    return None


def is_image(name: str) -> bool:
    """Whether a file's path is that of an image, as far as its name tells; hidden files are none."""
    path = PurePosixPath(name)
    return not path.name.startswith(".") and path.suffix.lower() in SUFFIXES


def fingerprint_of(path: Path) -> str | None:
    """Digest of the files' names, sizes and times: cheap, and changes when the data does. None if absent."""
    if not path.exists():
        return None
    return fingerprint_files(path, sorted(_members(path)) if path.is_dir() else [""])


def fingerprint_files(folder: Path, members: Iterable[str]) -> str:
    """The same of given files in a folder, in the given order."""
    digest = hashlib.sha256()
    for member in members:
        stat = os.stat(folder / member)
        digest.update(f"{member} {stat.st_size} {stat.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _check_kind(path: Path) -> None:
    if not path.exists():
        raise DataError(
            f"{path}: no such folder or archive; set the dataset's path to a folder or a {', '.join(ARCHIVES)}"
        )
    if not path.is_dir() and not (path.is_file() and path.name.endswith(ARCHIVES)):
        raise DataError(f"{path}: not a folder or an archive of a known kind; allowed: {', '.join(ARCHIVES)}")


def _members(folder: Path) -> list[str]:
    """Files below train/ and test/, as posix paths relative to the folder; a link that leads nowhere is one, too."""
    found = []
    for split in SPLITS:
        for parent, folders, names in os.walk(folder / split, followlinks=True):
            # A class may be a link to a folder. Deeper ones could lead round in circles, and images there are refused.
            links = [] if Path(parent) == folder / split else [n for n in folders if Path(parent, n).is_symlink()]
            if links:
                raise DataError(f"{Path(parent, links[0])}: lies too deep; only a class may be a link to a folder")
            found += [(Path(parent) / name).relative_to(folder).as_posix() for name in names]
    return found


def _folders(folder: Path) -> list[Path]:
    return sorted(sub for sub in folder.iterdir() if sub.is_dir()) if folder.is_dir() else []


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part for part in PurePosixPath(name).parts if part != ".")


def _key(name: str) -> tuple[str, str, str] | None:
    """(split, class, file) of an image's path, which may begin with one wrapping folder; None for anything else.

    Raises:
        DataError: an image lies deeper than in its class folder, and would be left out silently.
    """
    parts = _parts(name)
    if not is_image(name):
        return None
    inside = next((parts[i:] for i in (0, 1) if len(parts) > i and parts[i] in SPLITS), ())
    if len(inside) > 3:
        raise DataError(f"{name}: lies too deep; images belong into {inside[0]}/{inside[1]}/ itself")
    return inside if len(inside) == 3 else None
