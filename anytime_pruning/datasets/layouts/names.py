"""Judge files and folders by their names: what is hidden, what is an image, and what names a split."""

import importlib.util
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path, PurePosixPath

from anytime_pruning.foundation.errors import DataError

# (split, class, name of the file); the split is empty as long as `test_frac` has not drawn it.
ImageKey = tuple[str, str, str]

# What systems and programs put among a user's files, in lower case. Names that begin with a dot are hidden anyway.
LITTER = {
    "__macosx",
    "__pycache__",
    "@eadir",
    "@recycle",
    "@recently-snapshot",
    "@tmp",
    "#recycle",
    "#snapshot",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "network trash folder",
    "temporary items",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "icon\r",
}
# Pillow always reads these.
SUFFIXES = {".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
AVIF, HEIF = {".avif"}, {".heic", ".heif", ".hif"}
# Files of these kinds are images, too, but nothing here reads them.
UNREAD = {".apng", ".arw", ".cr2", ".cr3", ".dng", ".jp2", ".jxl", ".nef", ".pbm", ".pnm", ".psd", ".svg", ".tga"}
# Names of the folders of a split, in lower case. A validation set takes the place of a missing test set.
TRAIN, TEST, VALIDATION = {"train", "training"}, {"test", "testing"}, {"val", "valid", "validation"}
# How the files of each format begin, for files whose name does not say what they are.
BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*", b"P5\n", b"P6\n")
BRANDS = (b"avif", b"avis", b"heic", b"heix", b"mif1")
BEGINNING_BYTES = 16


def reads_avif() -> bool:
    """Return whether this machine's Pillow reads AVIF."""
    # Imported here, because planning a study imports this module and never reads an image.
    from PIL import features

    return "avif" in features.modules and bool(features.check("avif"))


def reads_heif() -> bool:
    """Return whether the package pillow-heif is installed, with which Pillow reads HEIC."""
    return importlib.util.find_spec("pillow_heif") is not None


@cache
def readable_suffixes() -> frozenset[str]:
    """Return the suffixes of the images that this machine reads, in lower case."""
    return frozenset(SUFFIXES | (AVIF if reads_avif() else set()) | (HEIF if reads_heif() else set()))


def suffix_of(name: str) -> str:
    """Return the suffix of a file in lower case, or an empty text."""
    return PurePosixPath(name).suffix.lower()


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden, or was put there by a system and not by the user."""
    return name.startswith(".") or name.lower() in LITTER


def is_image(name: str) -> bool:
    """Return whether a file is an image that this machine reads, by its name; hidden files do not count as images."""
    return not is_hidden(name) and suffix_of(name) in readable_suffixes()


def shows_image(name: str) -> bool:
    """Return whether a file is an image by its name, even one that is not read here."""
    return suffix_of(name) in SUFFIXES | AVIF | HEIF | UNREAD


def begins_like_image(beginning: bytes) -> bool:
    """Return whether the first `BEGINNING_BYTES` bytes of a file are those of an image."""
    is_riff = beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP"
    is_brand = beginning[4:8] == b"ftyp" and beginning[8:12] in BRANDS
    return beginning.startswith(BEGINNINGS) or is_riff or is_brand


def choose_splits(folders: Iterable[str]) -> tuple[str, str] | None:
    """Return the names of the folders of training and test images, or None if one of them is missing.

    Args:
        folders: names of folders that lie side by side.

    Raises:
        DataError: several folders could be meant.
    """
    names = set(folders)
    train, test = _choose(names, "train", TRAIN), _choose(names, "test", TEST) or _choose(names, "", VALIDATION)
    if not train or not test:
        return None
    for split, found in (("train", train), ("test", test)):
        if len(found) > 1:
            raise DataError(
                f"found {' and '.join(f'{name}/' for name in found)}, any of which could be {split}/; "
                f"rename one of them to {split}/"
            )
    return train[0], test[0]


def _choose(names: set[str], exact: str, words: set[str]) -> list[str]:
    """Return the folder that bears the exact name, or else all whose names are among the words, whatever their case."""
    return [exact] if exact in names else sorted(name for name in names if name.lower() in words)


def choose_train(folders: Iterable[str]) -> str | None:
    """Return the first folder that is named like training images."""
    return next(iter(_choose(set(folders), "train", TRAIN)), None)


def is_test(folder: str) -> bool:
    """Return whether a folder is named like test images."""
    return folder.lower() in TEST | VALIDATION


def join(folder: str, name: str) -> str:
    """Return the path of a file or folder inside a folder; the path of the outermost folder is empty."""
    return f"{folder}/{name}" if folder else name


def is_in_split(name: str) -> bool:
    """Return whether a file lies in a folder that is named like training or test images."""
    return any(part.lower() in TRAIN | TEST for part in name.split("/")[:-1])


def text_of(name: str) -> str:
    """Return a file system's name as the same text in every locale."""
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def path_of(folder: Path, name: str) -> Path:
    """Return the path of a file whose name below a folder was made by `text_of`."""
    return folder / os.fsdecode(name.encode("utf-8", "surrogateescape"))
