"""The members of a tar or zip, one after another, within limits. Nothing is unpacked to disk.

Anybody may have made an archive: what would fill the memory, be read for hours or lead out of the archive is refused.
"""

import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from anytime_pruning.foundation.errors import DataError

# ImageNet has 1.4 million files. Larger data is read from a folder.
MAX_MEMBERS = 2_000_000
# Of all members together and of one image file, unpacked.
MAX_TOTAL_BYTES, MAX_FILE_BYTES = 64 * 2**30, 64 * 2**20
# Of a long name and of the attributes that precede a member of a tar, which tarfile reads in one piece.
MAX_HEADER_BYTES = 2**20
# At once, so that a few bytes never become gigabytes before they are counted.
PIECE = 2**16
# zipfile unpacks what is compressed otherwise in one piece.
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
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
# Headers that hold a long name or attributes of the member that follows.
DESCRIBING = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
OPENERS: dict[str, Callable[[Path], IO[bytes]]] = {".gz": gzip.open, ".xz": lzma.open}


@dataclass(frozen=True)
class Member:
    """One member of an archive; neither a file nor a folder is a link, a device or a pipe.

    Attributes:
        name: its path, as the archive has it.
        read: gives its content; only until the next member is asked for.
        where: names it for messages.
    """

    name: str
    is_file: bool
    is_folder: bool
    read: Callable[[], bytes]
    where: str


def iterate_members(path: Path) -> Iterator[Member]:
    """The members of an archive.

    Raises:
        DataError: it is beyond a limit, or a member's name leads out of it.
    """
    return _iterate_zip(path) if path.suffix == ".zip" else _iterate_tar(path)


class _Tally:
    """How many members an archive has had so far, and of how many bytes."""

    def __init__(self, path: Path) -> None:
        self.path, self.members, self.bytes = path, 0, 0

    def add(self, name: str, size: int) -> None:
        """Count a member before its content is read or passed over, so that what it claims to be is not waited for."""
        if name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise DataError(f"{name} in {self.path}: leads out of the archive, which is not read")
        self.members += 1
        if self.members > MAX_MEMBERS:
            raise DataError(
                f"{self.path}: more than {MAX_MEMBERS:,} files in an archive are not read; name a folder instead"
            )
        self.add_bytes(size)

    def add_bytes(self, size: int) -> None:
        self.bytes += size
        if self.bytes > MAX_TOTAL_BYTES:
            raise DataError(
                f"{self.path}: more than {MAX_TOTAL_BYTES / 2**30:.0f} GiB unpacked are not read; name a folder instead"
            )


def check_size(where: str, size: int) -> None:
    """Before a file is read.

    Raises:
        DataError: it is larger than an image file may be.
    """
    if size > MAX_FILE_BYTES:
        raise DataError(
            f"{where}: {size:,} bytes; an image file of more than {MAX_FILE_BYTES / 2**20:.0f} MiB is not read"
        )


def _iterate_zip(path: Path) -> Iterator[Member]:
    tally = _Tally(path)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        for member in members:
            tally.add(member.filename, member.file_size)
        for member in members:
            where = f"{member.filename} in {path}"

            def read(member: zipfile.ZipInfo = member, where: str = where) -> bytes:
                check_size(where, member.file_size)
                if member.compress_type not in ZIP_METHODS:
                    raise DataError(f"{where}: compressed by an unusual method, not by deflate; pack it again")
                with archive.open(member) as file:
                    return b"".join(iter(lambda: file.read(PIECE), b""))

            yield Member(member.filename, not member.is_dir(), member.is_dir(), read, where)


def _iterate_tar(path: Path) -> Iterator[Member]:
    tally = _Tally(path)
    # A stream, so that a compressed tar is read once, front to back. tarfile's own streams check no checksum of gzip.
    with (
        OPENERS.get(path.suffix, lambda path: open(path, "rb"))(path) as unzipped,
        tarfile.open(mode="r|*", fileobj=unzipped, tarinfo=_Header) as archive,
    ):
        while member := archive.next():
            archive.members.clear()  # tarfile remembers each, a gigabyte for a million
            tally.add(member.name, member.size)
            where = f"{member.name} in {path}"

            def read(member: tarfile.TarInfo = member, where: str = where) -> bytes:
                check_size(where, member.size)
                return archive.extractfile(member).read()

            yield Member(member.name, member.isfile(), member.isdir(), read, where)
        # To the very end, where checksums are.
        while rest := archive.fileobj.read(2**16):
            tally.add_bytes(len(rest))
            if any(rest):
                raise tarfile.ReadError("something follows the end")


class _Header(tarfile.TarInfo):
    """A header that is damaged is an error: tarfile takes it for the end and drops the files that follow, silently."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> tarfile.TarInfo:
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if buf and not any(buf):  # a block of zeros: the end
                raise
            raise tarfile.ReadError(f"unexpected end of data: {error}") from None
        if header.type in DESCRIBING and header.size > MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {header.size:,} bytes")
        return header
