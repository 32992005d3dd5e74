"""Read the image files of a folder, a tar or a zip."""

import difflib
import hashlib
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from anytime_pruning.datasets.archive_limits import check_size
from anytime_pruning.datasets.archives import CORRUPT, ENDINGS, is_archive, iterate_members
from anytime_pruning.datasets.layouts.find import Layout, find_layout
from anytime_pruning.datasets.layouts.names import ImageKey, path_of, readable_suffixes
from anytime_pruning.datasets.layouts.tree import open_tree, parts_of
from anytime_pruning.foundation.errors import ArtifactError, DataError, shortage
from anytime_pruning.foundation.files import fingerprint_files


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
        raise DataError(f"{path}: no such folder or archive{_suggest(path)}; set the dataset's path to one")
    if not path.is_dir() and not (path.is_file() and is_archive(path.name)):
        raise DataError(f"{path}: not a folder or an archive of a known kind; allowed: {', '.join(ENDINGS)}")


def _suggest(path: Path) -> str:
    """Return what the user may have meant, or an empty text."""
    try:
        there = [entry.name for entry in path.parent.iterdir() if entry.is_dir() or is_archive(entry.name)]
    except OSError:
        return f" (there is no folder {path.parent}, either)"
    alike = difflib.get_close_matches(path.name, there, 1) or [name for name in there if name.startswith(path.name)]
    return f" (there is {alike[0]})" if alike else ""


@contextmanager
def corruption_as_data_error(path: Path) -> Iterator[None]:
    """Turn every error that a damaged archive causes into a `DataError`.

    Inside this context, nothing but the archive is read: what else fails there would be taken for damage.

    Raises:
        DataError: the archive is corrupt.
    """
    try:
        yield
    except (ArtifactError, PermissionError):
        raise
    except CORRUPT as error:
        if shortage(error) or path.is_dir():
            raise
        raise DataError(f"{path}: the archive is corrupt ({error}); fetch it again") from None


def read_layout(path: Path, test_frac: float | None) -> Layout:
    """Find the images of a folder or archive by their names.

    Args:
        path: the folder or archive.
        test_frac: share of test images, if the images are not sorted into splits.

    Raises:
        DataError: the path or its layout is wrong, or an archive is corrupt.
        SettingError: `test_frac` is given for images that are sorted into splits.
    """
    check_kind(path)
    with corruption_as_data_error(path):
        return find_layout(open_tree(path), test_frac)


def iterate_files(path: Path, layout: Layout) -> Iterator[ImageFile]:
    """Iterate over the image files of a folder or archive.

    Raises:
        DataError: an image cannot be read, or is not a regular file, or an archive is corrupt.
        PermissionError: a file belongs to another user and cannot be read.
    """
    if path.is_dir():
        for name, key in sorted(layout.files.items()):
            file = path_of(path, name)
            yield ImageFile(key, read_file(file), str(file))
        return
    with corruption_as_data_error(path):
        for member in iterate_members(path):
            if not member.is_folder and (found := layout.files.get("/".join(parts_of(member.name)))):
                yield ImageFile(found, member.read(), member.where)


def read_file(path: Path) -> bytes:
    """Return the content of an image file.

    Raises:
        DataError: the file is missing, too large, or not a regular file. A pipe would make the reader wait, and
            reading a device might never end.
        PermissionError: the file belongs to another user and cannot be read.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{path}: is not a regular file; replace or remove it")
        check_size(str(path), status.st_size)
        return path.read_bytes()
    except PermissionError:
        raise
    except OSError as error:
        if shortage(error):
            raise
        raise DataError(f"{path}: {error.strerror}; fetch the file again, or remove it") from None


def fingerprint_of(path: Path, test_frac: float | None) -> str:
    """Return a digest that changes when a folder or archive does, or when this machine reads other images of it.

    Raises:
        DataError: the path or its layout is wrong.
        SettingError: `test_frac` is given for images that are sorted into splits.
    """
    check_kind(path)
    if not path.is_dir():
        return _digest(fingerprint_files(path, [""]), *sorted(readable_suffixes()))
    layout = read_layout(path, test_frac)
    return _digest(
        fingerprint_files(path, sorted(str(path_of(Path(), name)) for name in layout.files)), *layout.describe()
    )


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode("utf-8", "surrogateescape")).hexdigest()
