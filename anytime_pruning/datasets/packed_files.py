"""The files of an image folder, whether they lie in a folder, a tar or a zip. Nothing is unpacked to disk."""

import gzip
import hashlib
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from anytime_pruning.errors import DataError

SPLITS = ("train", "test")
SUFFIXES = {".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
ARCHIVES = (".tar", ".tar.xz", ".tar.gz", ".zip")
# What reading a damaged archive raises, as seen when single bits are flipped: the modules parse before they check.
CORRUPT = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    struct.error,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


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
    """The image files, one after another."""
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
        yield from _iterate_tar(path)


def _iterate_tar(path: Path) -> Iterator[PackedFile]:
    _check_tar_end(path)
    # A stream, so that a compressed tar is read once, front to back. Of gzip, tarfile's own stream checks no checksum.
    unzip = gzip.open if path.suffix == ".gz" else nullcontext
    with unzip(path) as unzipped, _open_stream(path, unzipped) as archive:
        for member in archive:
            if key := _key(member.name):
                if member.islnk() or member.issym():
                    raise DataError(f"{member.name} in {path}: is a link; pack the file itself (tar --dereference)")
                if member.isfile():
                    yield PackedFile(key, archive.extractfile(member).read(), f"{member.name} in {path}")
        while unzip is gzip.open and unzipped.read(2**20):
            pass  # gzip's checksum comes after the last byte


def _open_stream(path: Path, unzipped: gzip.GzipFile | Path) -> tarfile.TarFile:
    return tarfile.open(path, "r|*") if unzipped is path else tarfile.open(mode="r|", fileobj=unzipped)


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
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return sum(_key(name) is not None for name in archive.namelist())
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
    if path.is_file() and not path.name.endswith(ARCHIVES):
        raise DataError(f"{path}: not a folder or an archive of a known kind; allowed: {', '.join(ARCHIVES)}")


def _check_tar_end(path: Path) -> None:
    """A plain tar ends with blocks of zeros. One that was cut between two files would pass for a smaller whole one."""
    if path.suffix == ".tar":
        with open(path, "rb") as file:
            file.seek(-min(path.stat().st_size, tarfile.BLOCKSIZE), os.SEEK_END)
            if any(file.read()):
                raise tarfile.ReadError("unexpected end of data")


def _members(folder: Path) -> list[str]:
    """Files below train/ and test/, as posix paths relative to the folder; a link that leads nowhere is one, too."""
    found = []
    for split in SPLITS:
        for parent, _, names in os.walk(folder / split, followlinks=True):
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
