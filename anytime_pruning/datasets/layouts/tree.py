"""Show a folder and an archive as the same tree of visible names, so that both always mean the same."""

import os
import stat
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path, PurePosixPath

from anytime_pruning.datasets.archive_limits import check_size
from anytime_pruning.datasets.archives import Member, iterate_members
from anytime_pruning.datasets.layouts.names import (
    BEGINNING_BYTES,
    begins_like_image,
    is_hidden,
    is_image,
    is_in_split,
    join,
    path_of,
    shows_image,
    suffix_of,
    text_of,
)
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.foundation.locks.holders import describe_owner

# No layout is as deep. The names of folders below this depth are left out, so that a hostile name costs nothing.
MAX_DEPTH = 32
# Characters of all names in an archive together, which are held in memory.
MAX_NAMES = 2**30


@dataclass(frozen=True)
class Listing:
    """Lists what is visible in one folder.

    Attributes:
        files: sorted names of files, including links and other things that are no folders.
        folders: sorted names of folders.
        links: names of folders that are links.
        problems: why files cannot be read, by name.
        problem: why the folder itself cannot be read, or an empty text.
    """

    files: list[str]
    folders: list[str]
    links: Collection[str] = ()
    problems: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


class Tree(ABC):
    """Lists the folders of a folder or archive; paths are texts with slashes, relative to `path`."""

    path: Path

    @abstractmethod
    def listing(self, folder: str) -> Listing:
        """List a folder; the path of the outermost folder is empty, and a folder that does not exist has no entries."""

    @abstractmethod
    def begins_like_image(self, file: str) -> bool:
        """Return whether a file without a suffix is an image by its first bytes."""


class FolderTree(Tree):
    """Lists a folder of the file system, and reads only the folders that are asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listed: dict[str, Listing] = {}

    def listing(self, folder: str) -> Listing:
        """List a folder."""
        if folder not in self._listed:
            self._listed[folder] = self._scan(path_of(self.path, folder))
        return self._listed[folder]

    def _scan(self, path: Path) -> Listing:
        try:
            with os.scandir(path) as entries:
                visible = [entry for entry in entries if not is_hidden(entry.name)]
                folders = {text_of(entry.name): entry.is_symlink() for entry in visible if _is_folder(entry)}
                broken = [entry for entry in visible if entry.is_symlink() and not os.path.exists(entry)]
        except OSError as error:
            whose = f" ({describe_owner(path)})" if isinstance(error, PermissionError) else ""
            return Listing([], [], problem=f"{error.strerror or error}{whose}")
        files = sorted({text_of(entry.name) for entry in visible} - folders.keys())
        links = {name for name, is_link in folders.items() if is_link}
        problem = "No such file or directory (a broken link); fetch it again, or remove the link"
        return Listing(files, sorted(folders), links, {text_of(e.name): f"{e.path}: {problem}" for e in broken})

    def begins_like_image(self, file: str) -> bool:
        """Return whether a regular file begins like an image; a pipe is not opened, because it would make us wait."""
        path = path_of(self.path, file)
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                return False
            with open(path, "rb") as opened:
                return begins_like_image(opened.read(BEGINNING_BYTES))
        except OSError:
            return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


class ArchiveTree(Tree):
    """Lists an archive, whose names are read once; sorted, they hold the entries of a folder side by side.

    Raises:
        DataError: an image in train/ or test/ cannot be read, or the names would fill the memory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._problems: dict[str, str] = {}
        self._images: set[str] = set()
        names, size = set(), 0
        for member in iterate_members(path):
            parts = parts_of(member.name)
            visible = tuple(takewhile(lambda part: not is_hidden(part), parts))
            # What is hidden tells no more than that the folder around it is there.
            is_folder = member.is_folder or visible != parts
            name = "/".join(visible)
            names.add(name + "/" if is_folder else name)
            size += len(name)
            if size > MAX_NAMES:
                raise DataError(f"{path}: names of more than {MAX_NAMES:,} characters in an archive are not read")
            if not is_folder:
                self._look_at(member, name)
        self._names = sorted(names - {"/"})

    def _look_at(self, member: Member, name: str) -> None:
        """Note what the file's name does not tell."""
        if is_image(name) and is_in_split(name):
            # Such a file is refused at once, because skipping as many bytes as its header claims could take hours.
            check_size(member.where, member.size)
            if member.problem:
                raise DataError(f"{member.where}: {member.problem}")
        elif member.problem:
            self._problems[name] = f"{member.where}: {member.problem}"
        elif not suffix_of(name) and begins_like_image(member.read(BEGINNING_BYTES)):
            self._images.add(name)

    def listing(self, folder: str) -> Listing:
        """List a folder."""
        prefix = f"{folder}/" if folder else ""
        names, files, folders = self._names, [], []
        at, end = (0, len(names)) if not folder else (bisect_left(names, prefix), bisect_left(names, folder + "0"))
        while at < end:
            name, slash, _ = names[at][len(prefix) :].partition("/")
            if slash:
                folders.append(name)
                # "0" follows "/", so this is the first name behind everything in the folder.
                at = bisect_left(names, f"{prefix}{name}0", at, end)
                continue
            if name:
                files.append(name)
            at += 1
        problems = {name: self._problems[prefix + name] for name in files if prefix + name in self._problems}
        return Listing(sorted(set(files) - set(folders)), sorted(folders), (), problems)

    def begins_like_image(self, file: str) -> bool:
        """Return whether a file without a suffix is an image by its first bytes, which were read with the names."""
        return file in self._images


def open_tree(path: Path) -> Tree:
    """Return the tree of a folder or archive."""
    return FolderTree(path) if path.is_dir() else ArchiveTree(path)


def parts_of(name: str) -> tuple[str, ...]:
    """Return the parts of a path in an archive; folders below `MAX_DEPTH` are left out."""
    parts = tuple(part for part in PurePosixPath(name).parts if part != ".")
    return parts if len(parts) <= MAX_DEPTH else (*parts[: MAX_DEPTH - 1], parts[-1])


def count_images(tree: Tree, folder: str, depth: int) -> int:
    """Return the number of images in a folder and, to a depth, in the folders inside it, whether they are read or not.

    Links are not followed, because they could lead anywhere.
    """
    listing = tree.listing(folder)
    count = sum(map(shows_image, listing.files))
    inner = [name for name in listing.folders if name not in listing.links] if depth else []
    return count + sum(count_images(tree, join(folder, name), depth - 1) for name in inner)
