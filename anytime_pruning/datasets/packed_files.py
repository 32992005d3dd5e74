"""The files of an image folder, whether they lie in a folder, a tar or a zip. Nothing is unpacked to disk."""

import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from anytime_pruning.errors import DataError

SPLITS = ("train", "test")
SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
ARCHIVES = (".tar", ".tar.xz", ".tar.gz", ".zip")
CORRUPT = (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError)


@dataclass(frozen=True)
class PackedFile:
    """One image file: `key` is (split, class, file name), `where` names it for messages."""

    key: tuple[str, str, str]
    content: bytes
    where: str


@contextmanager
def open_files(path: Path) -> Iterator[Iterator[PackedFile]]:
    """The image files, one after another.

    Raises:
        DataError: there is no such folder or archive, it is of another kind, or it is corrupt.
    """
    _check_kind(path)
    try:
        yield _walk(path)
    except CORRUPT as error:
        raise DataError(f"{path}: the archive is corrupt ({error}); fetch it again") from None


def list_folders(path: Path) -> set[tuple[str, str]]:
    """Every (split, class) that has a folder of its own, even an empty one."""
    if path.is_dir():
        members = [f"{split}/{sub.name}" for split in SPLITS for sub in _folders(path / split)]
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            members = [name.rstrip("/") for name in archive.namelist() if name.endswith("/")]
    else:
        with tarfile.open(path) as archive:
            members = [member.name for member in archive if member.isdir()]
    parts = [_parts(member)[-2:] for member in members]
    return {tuple(part) for part in parts if len(part) == 2 and part[0] in SPLITS and not part[1].startswith(".")}


def count_images(path: Path) -> int | None:
    """How many images there are, where that is cheap to know (a compressed tar would be read twice)."""
    if path.is_dir():
        return sum(_key(member) is not None for member in _members(path))
    if path.suffix == ".zip" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return sum(_key(name) is not None for name in archive.namelist())
    return None


def fingerprint_of(path: Path) -> str | None:
    """Number, size and newest time of the files: cheap, and changes when the data does. None if absent."""
    if path.is_dir():
        stats = [os.stat(path / member) for member in _members(path)]
    elif path.exists():
        stats = [os.stat(path)]
    else:
        return None
    newest = max((stat.st_mtime_ns for stat in stats), default=0)
    return f"{len(stats)} {sum(stat.st_size for stat in stats)} {newest}"


def _check_kind(path: Path) -> None:
    if not path.exists():
        raise DataError(
            f"{path}: no such folder or archive; set the dataset's path to a folder or a {', '.join(ARCHIVES)}"
        )
    if path.is_file() and not path.name.endswith(ARCHIVES):
        raise DataError(f"{path}: not a folder or an archive of a known kind; allowed: {', '.join(ARCHIVES)}")


def _walk(path: Path) -> Iterator[PackedFile]:
    if path.is_dir():
        for member in _members(path):
            if key := _key(member):
                yield PackedFile(key, (path / member).read_bytes(), str(path / member))
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if key := _key(name):
                    yield PackedFile(key, archive.read(name), f"{name} in {path}")
    else:
        _check_tar_end(path)
        # A stream: a compressed tar is read once, front to back.
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                if member.isfile() and (key := _key(member.name)):
                    yield PackedFile(key, archive.extractfile(member).read(), f"{member.name} in {path}")


def _check_tar_end(path: Path) -> None:
    """A plain tar ends with blocks of zeros. One that was cut between two files would pass for a smaller whole one."""
    if path.suffix == ".tar":
        with open(path, "rb") as file:
            file.seek(-min(path.stat().st_size, tarfile.BLOCKSIZE), os.SEEK_END)
            if any(file.read()):
                raise tarfile.ReadError("unexpected end of data")


def _members(folder: Path) -> list[str]:
    """Files two levels below train/ and test/, as posix paths relative to the folder."""
    found = []
    for split in SPLITS:
        for sub in _folders(folder / split):
            found += [f"{split}/{sub.name}/{entry.name}" for entry in os.scandir(sub) if entry.is_file()]
    return found


def _folders(folder: Path) -> list[Path]:
    return sorted(sub for sub in folder.iterdir() if sub.is_dir()) if folder.is_dir() else []


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part for part in PurePosixPath(name).parts if part != ".")


def _key(name: str) -> tuple[str, str, str] | None:
    """(split, class, file) of an image's path, which may begin with one wrapping folder; None for anything else."""
    parts = _parts(name)
    if len(parts) not in (3, 4) or parts[-3] not in SPLITS or parts[-1].startswith("."):
        return None
    return parts[-3:] if PurePosixPath(parts[-1]).suffix.lower() in SUFFIXES else None
