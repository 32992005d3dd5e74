"""Find and read the image files of train/<class>/ and test/<class>/ in a folder, a tar or a zip."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from anytime_pruning.datasets.archive_limits import check_size
from anytime_pruning.datasets.archives import CORRUPT, iterate_members
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.foundation.files import fingerprint_files

SPLITS = ("train", "test")
SUFFIXES = {".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
ARCHIVES = (".tar", ".tar.xz", ".tar.gz", ".zip")

# (split, class, name of the file)
ImageKey = tuple[str, str, str]


@dataclass(frozen=True)
class ImageFile:
    """Holds one image file.

    Attributes:
        key: (split, class, name of the file).
        content: the bytes of the file.
        where: name of the file, for messages.
    """

    key: ImageKey
    content: bytes
    where: str


def check_kind(path: Path) -> None:
    """Check that a path is a folder or an archive of a known kind.

    Raises:
        DataError: the path does not exist, or is of another kind.
    """
    if not path.exists():
        raise DataError(
            f"{path}: no such folder or archive; set the dataset's path to a folder or a {', '.join(ARCHIVES)}"
        )
    if not path.is_dir() and not (path.is_file() and path.name.endswith(ARCHIVES)):
        raise DataError(f"{path}: not a folder or an archive of a known kind; allowed: {', '.join(ARCHIVES)}")


@contextmanager
def corruption_as_data_error(path: Path) -> Iterator[None]:
    """Turn every error that a damaged archive causes into a `DataError`; read the archive only inside this context.

    Raises:
        DataError: the archive is corrupt.
    """
    try:
        yield
    except CORRUPT as error:
        if path.is_dir():
            raise
        raise DataError(f"{path}: the archive is corrupt ({error}); fetch it again") from None


def iterate_files(path: Path) -> Iterator[ImageFile]:
    """Iterate over the image files of a folder or archive.

    Raises:
        DataError: an image cannot be read, lies too deep, or is not a regular file.
    """
    if path.is_dir():
        for name in _walk(path):
            if key := _image_key(name):
                yield ImageFile(key, read_file(path / name), str(path / name))
        return
    for member in iterate_members(path):
        if not member.is_folder and (key := _image_key(member.name)):
            if not member.is_file:
                raise DataError(
                    f"{member.where}: is a link, a pipe or a device; pack the file itself (tar --dereference)"
                )
            yield ImageFile(key, member.read(), member.where)


def read_file(path: Path) -> bytes:
    """Return the content of an image file.

    Raises:
        DataError: the file is missing, too large, or not a regular file. A pipe would make the reader wait, and
            reading a device might never end.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{path}: is not a regular file; replace or remove it")
        check_size(str(path), status.st_size)
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; fetch the file again, or remove it") from None


def list_classes(path: Path) -> set[tuple[str, str]]:
    """Return every (split, class) that has a folder, even an empty one."""
    if path.is_dir():
        splits = [path / split for split in SPLITS if (path / split).is_dir()]
        names = [f"{split.name}/{folder.name}" for split in splits for folder in split.iterdir() if folder.is_dir()]
    else:
        names = [member.name for member in iterate_members(path) if member.is_folder]
    ends = [_parts(name)[-2:] for name in names]
    return {(end[0], end[1]) for end in ends if len(end) == 2 and end[0] in SPLITS and not end[1].startswith(".")}


def count_images(path: Path) -> int | None:
    """Return the number of images, or None for a tar, which would have to be read twice."""
    if path.is_dir():
        return sum(_image_key(name) is not None for name in _walk(path))
    if path.suffix == ".zip":
        return sum(not member.is_folder and _image_key(member.name) is not None for member in iterate_members(path))
    return None


def is_image(name: str) -> bool:
    """Return whether a file is an image by its name; hidden files do not count as images."""
    path = PurePosixPath(name)
    return not path.name.startswith(".") and path.suffix.lower() in SUFFIXES


def fingerprint_of(path: Path) -> str | None:
    """Return a digest that changes when a folder or archive does, or None if the path does not exist."""
    if not path.exists():
        return None
    return fingerprint_files(path, sorted(_walk(path)) if path.is_dir() else [""])


def _walk(folder: Path) -> list[str]:
    """Return the files below train/ and test/ as posix paths relative to the folder, including broken links."""
    found = []
    for split in SPLITS:
        for parent, folders, names in os.walk(folder / split, followlinks=True):
            # A class may be a link to a folder. A link below a class could lead into an endless circle.
            links = [] if Path(parent) == folder / split else [n for n in folders if Path(parent, n).is_symlink()]
            if links:
                raise DataError(f"{Path(parent, links[0])}: lies too deep; only a class may be a link to a folder")
            found += [(Path(parent) / name).relative_to(folder).as_posix() for name in names]
    return found


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part for part in PurePosixPath(name).parts if part != ".")


def _image_key(name: str) -> ImageKey | None:
    """Return the key of an image by its path, which may begin with one wrapping folder, or None for any other path.

    Raises:
        DataError: an image lies deeper than in its class folder, where it would be silently left out.
    """
    parts = _parts(name)
    if not is_image(name):
        return None
    inside = next((parts[i:] for i in (0, 1) if len(parts) > i and parts[i] in SPLITS), ())
    if len(inside) > 3:
        raise DataError(f"{name}: lies too deep; images belong in {inside[0]}/{inside[1]}/ itself")
    return (inside[0], inside[1], inside[2]) if len(inside) == 3 else None
