"""Read the members of a tar or zip one after another, within limits, without unpacking anything to disk.

An archive may be damaged or hostile, and Python's own modules do not check enough. `tarfile` reads headers of any
length into memory and mistakes a damaged header for the end of the archive. `zipfile` unpacks a member in one piece if
the member uses one of the rarer compression methods.
"""

import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self, cast

from anytime_pruning.datasets.archive_limits import Tally, check_size
from anytime_pruning.foundation.errors import DataError

# `tarfile` reads a long name, and the attributes that precede a member, in one piece.
MAX_HEADER_BYTES = 2**20
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
# These types of headers hold a long name, or attributes of the member that follows.
DESCRIBING = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
OPENERS: dict[str, Callable[[Path, str], object]] = {".gz": gzip.open, ".xz": lzma.open}


@dataclass(frozen=True)
class Member:
    """Describes one member of an archive; a link, a device or a pipe is neither a file nor a folder.

    Attributes:
        name: path inside the archive, as the archive states it.
        is_file: whether the member is a regular file.
        is_folder: whether the member is a folder.
        read: a function that returns the content; it works only until the next member is requested.
        where: name of the member for messages.
    """

    name: str
    is_file: bool
    is_folder: bool
    read: Callable[[], bytes]
    where: str


def iterate_members(path: Path) -> Iterator[Member]:
    """Iterate over the members of an archive.

    Args:
        path: a .zip file, or a tar file; the endings .gz and .xz say how a tar file is compressed.

    Raises:
        DataError: the archive exceeds a limit, or the name of a member leads out of the archive.
    """
    return _iterate_zip(path) if path.suffix == ".zip" else _iterate_tar(path)


def _iterate_zip(path: Path) -> Iterator[Member]:
    tally = Tally(path)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        for member in members:
            tally.add_member(member.filename, member.file_size)
        for member in members:
            where = f"{member.filename} in {path}"

            def read(member: zipfile.ZipInfo = member, where: str = where) -> bytes:
                check_size(where, member.file_size)
                if member.compress_type not in ZIP_METHODS:
                    raise DataError(f"{where}: compressed by an unusual method, not by deflate; pack it again")
                with archive.open(member) as file:
                    # With a given number of bytes, `zipfile` never unpacks more than these bytes at once. One byte more
                    # than the claimed size is requested, so that `zipfile` reaches the end and compares the checksum.
                    return file.read(member.file_size + 1)

            yield Member(member.filename, not member.is_dir(), member.is_dir(), read, where)


def _iterate_tar(path: Path) -> Iterator[Member]:
    tally = Tally(path)
    # The archive is unpacked here and not by `tarfile`, because the streams of `tarfile` ignore gzip's checksum.
    with (
        _open_unpacked(path) as unpacked,
        tarfile.open(mode="r|*", fileobj=unpacked, tarinfo=_Header) as archive,
    ):
        while member := archive.next():
            # `tarfile` keeps a list of all members, which takes a gigabyte of memory for a million members.
            archive.members.clear()  # type: ignore[attr-defined]  # the list has no type in typeshed
            tally.add_member(member.name, member.size)
            where = f"{member.name} in {path}"

            def read(member: tarfile.TarInfo = member, where: str = where) -> bytes:
                check_size(where, member.size)
                content = archive.extractfile(member)
                return content.read() if content else b""

            yield Member(member.name, member.isfile(), member.isdir(), read, where)
        _read_to_the_end(archive, tally)


def _open_unpacked(path: Path) -> IO[bytes]:
    return cast(IO[bytes], OPENERS.get(path.suffix, open)(path, "rb"))


def _read_to_the_end(archive: tarfile.TarFile, tally: Tally) -> None:
    """Read everything after the last member, because gzip and xz store their checksums at the very end."""
    stream = cast(IO[bytes], archive.fileobj)
    while padding := stream.read(2**16):
        tally.add_bytes(len(padding))
        if any(padding):
            raise tarfile.ReadError("data follows the end of the archive")


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
            raise tarfile.ReadError(f"unexpected end of data: {error}") from None
        if header.type in DESCRIBING and header.size > MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {header.size:,} bytes")
        return header
