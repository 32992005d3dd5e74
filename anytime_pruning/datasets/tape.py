"""Unpack a tar file and let `tarfile` read it from the beginning to the end, while every byte is counted."""

import bz2
import gzip
import lzma
import re
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from anytime_pruning.datasets.archive_limits import Tally

# How a compressed file begins. The fourth byte of bzip2 is a digit; without the rest, a folder BZh would look like it.
OPENERS: dict[bytes, Callable[[Path, str], object]] = {
    rb"\x1f\x8b\x08": gzip.open,
    rb"\xfd7zXZ\x00": lzma.open,
    rb"BZh[1-9]1AY&SY": bz2.open,
}
# Bytes that are skipped at once.
STEP = 2**16


def opener_of(beginning: bytes | bytearray) -> Callable[[Path, str], object] | None:
    """Return the function that opens a compressed file, or None for a file that does not begin like one."""
    return next((opener for known, opener in OPENERS.items() if re.match(known, beginning)), None)


class Tape:
    """Reads an unpacked tar file, only forwards.

    The streams of `tarfile` itself ignore gzip's checksum, and read as many headers before a member as there are.

    Args:
        file: the unpacked file.
        tally: counts the bytes.

    Attributes:
        at_headers: whether headers are read now, and not the content of a member.
    """

    def __init__(self, file: IO[bytes], tally: Tally) -> None:
        self._file, self._tally, self._position = file, tally, 0
        self.at_headers = True

    def tell(self) -> int:
        """Return the number of bytes that were read or skipped."""
        return self._position

    def seek(self, position: int) -> int:
        """Skip what lies before a position, or before the end.

        Raises:
            tarfile.StreamError: the position was passed before.
            DataError: the archive exceeds a limit.
        """
        if position < self._position:
            raise tarfile.StreamError("seeking backwards is not possible")
        while (rest := position - self._position) and self._take(min(rest, STEP)):
            pass
        return self._position

    def read(self, size: int) -> bytes:
        """Return so many bytes, or fewer at the end.

        Raises:
            DataError: the archive exceeds a limit.
        """
        if self.at_headers:
            self._tally.add_header(size)
        return self._take(size)

    def read_to_the_end(self) -> None:
        """Read everything after the last member, because gzip and xz store their checksums at the very end.

        Raises:
            tarfile.ReadError: more than zeros follows.
            DataError: the archive exceeds a limit.
        """
        while padding := self._take(STEP):
            if any(padding):
                raise tarfile.ReadError("data follows the end of the archive")

    def _take(self, size: int) -> bytes:
        content = self._file.read(size)
        self._position += len(content)
        self._tally.add_read(len(content))
        return content


@contextmanager
def opened(path: Path, tally: Tally) -> Iterator[Tape]:
    """Open a tar file, whose first bytes say how it is compressed, whatever its name."""
    with open(path, "rb") as file:
        opener = opener_of(file.read(tarfile.BLOCKSIZE)) or open
    with cast(IO[bytes], opener(path, "rb")) as unpacked:
        yield Tape(unpacked, tally)
