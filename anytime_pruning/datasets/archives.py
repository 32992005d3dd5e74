"""Read the members of a tar or zip one after another, within limits, without unpacking anything to disk.

An archive may be damaged or hostile, and Python's own modules do not check enough. `tarfile` reads headers of any
length into memory and mistakes a damaged header for the end of the archive. `zipfile` unpacks a member in one piece if
the member uses one of the rarer compression methods.
"""

import contextlib
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, Self, cast

from anytime_pruning.datasets.archive_limits import Tally, check_size
from anytime_pruning.datasets.tape import opened, opener_of

# `zipfile` unpacks members compressed by any other method in one piece, whatever their size.
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# A damaged archive can raise any of these errors, because the modules parse before they check. The list was found by
# flipping single bits of archives.
# OSError includes gzip.BadGzipFile, and RuntimeError includes NotImplementedError.
CORRUPT = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    struct.error,
    LookupError,
    OSError,
    RuntimeError,
    ValueError,
)
# Flags of a member of a zip.
ENCRYPTED, UTF8 = 0x1, 0x800
ENDINGS = (".tar", ".tar.xz", ".tar.gz", ".tar.bz2", ".txz", ".tgz", ".tbz2", ".tbz", ".zip")
# Systems whose file names cannot hold a backslash, by the number that a zip states for them: FAT, HPFS, NTFS, VFAT.
WINDOWS = (0, 6, 10, 11, 14)


class Reader(Protocol):
    """Describes the function that reads a member; it works only until the next member is requested."""

    def __call__(self, limit: int | None = None) -> bytes:
        """Return the whole content, or only so many bytes at its beginning."""


@dataclass(frozen=True)
class Member:
    """Describes one member of an archive.

    Attributes:
        name: path inside the archive, with slashes.
        is_folder: whether the member is a folder.
        size: unpacked bytes that the header claims.
        problem: why the member must not be read, or an empty text; a link, a device or a pipe has no content.
        read: a function that returns the content.
        where: name of the member for messages.
    """

    name: str
    is_folder: bool
    size: int
    problem: str
    read: Reader
    where: str


def is_archive(name: str) -> bool:
    """Return whether a file is an archive of a known kind, by the ending of its name in upper or lower case."""
    return name.lower().endswith(ENDINGS)


def iterate_members(path: Path) -> Iterator[Member]:
    """Iterate over the members of an archive.

    Args:
        path: a .zip file, or a tar file; its first bytes say how a tar file is compressed, whatever its name.

    Raises:
        DataError: the archive exceeds a limit, or the name of a member leads out of the archive.
    """
    return _iterate_zip(path) if path.suffix.lower() == ".zip" else _iterate_tar(path)


def _iterate_zip(path: Path) -> Iterator[Member]:
    tally = Tally(path)
    with zipfile.ZipFile(path) as archive:
        members = [(_name_in_zip(member), member) for member in archive.infolist()]
        for name, member in members:
            tally.add_member(name, member.file_size)
        for name, member in members:
            where = f"{name} in {path}"

            def read(limit: int | None = None, member: zipfile.ZipInfo = member, where: str = where) -> bytes:
                check_size(where, member.file_size if limit is None else limit)
                with archive.open(member) as file:
                    # With a given number of bytes, `zipfile` never unpacks more than these bytes at once. One byte more
                    # than the claimed size is requested, so that `zipfile` reaches the end and compares the checksum.
                    return file.read(member.file_size + 1 if limit is None else limit)

            yield Member(name, name.endswith("/"), member.file_size, _problem_in_zip(member), read, where)


def _problem_in_zip(member: zipfile.ZipInfo) -> str:
    if stat.S_ISLNK(member.external_attr >> 16):
        return "not a readable image (a link); pack the file itself"
    if member.compress_type not in ZIP_METHODS:
        return "compressed by an unusual method, not by deflate; pack it again"
    return "is encrypted; pack it again without a password" if member.flag_bits & ENCRYPTED else ""


def _name_in_zip(member: zipfile.ZipInfo) -> str:
    """Return the name of a member as the user sees it in a folder.

    Deviation: the format asks for slashes, and for a flag with names in UTF-8. PowerShell 5 writes backslashes, and
    the Finder of macOS forgets the flag.
    """
    name = member.filename
    if not member.flag_bits & UTF8:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    is_windows = member.create_system in WINDOWS or "/" not in name
    return name.replace("\\", "/") if is_windows else name


def _iterate_tar(path: Path) -> Iterator[Member]:
    tally = Tally(path)
    with opened(path, tally) as tape:
        archive = tarfile.TarFile(fileobj=cast(IO[bytes], tape), tarinfo=_Header, encoding="utf-8")
        while member := archive.next():
            tape.at_headers = False
            # `tarfile` keeps a list of all members, which takes a gigabyte of memory for a million members.
            archive.members.clear()  # type: ignore[attr-defined]  # the list has no type in typeshed
            tally.add_member(member.name, member.size)
            tally.check_common(archive.pax_headers)
            where = f"{member.name} in {path}"

            def read(limit: int | None = None, member: tarfile.TarInfo = member, where: str = where) -> bytes:
                check_size(where, member.size if limit is None else limit)
                content = archive.extractfile(member)
                return content.read(-1 if limit is None else limit) if content else b""

            is_readable = member.isfile() or member.isdir()
            advice = "pack the file itself (tar --dereference --hard-dereference)"
            problem = "" if is_readable else f"is a link, a pipe or a device; {advice}"
            yield Member(member.name, member.isdir(), member.size, problem, read, where)
            tape.at_headers = True
        tape.read_to_the_end()


class _Header(tarfile.TarInfo):
    """Refuses a damaged header; `tarfile` would treat the header as the end and silently drop the files that follow."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            # A block of zeros marks the end of the archive.
            if buf and not any(buf):
                raise
            problem = "it is compressed twice" if opener_of(buf) else f"unexpected end of data: {error}"
            raise tarfile.ReadError(problem) from None
        return header
