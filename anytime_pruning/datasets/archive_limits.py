"""Limit how much of an archive or image file is read, so that no file fills the memory or takes hours to read."""

from collections.abc import Mapping
from pathlib import Path

from anytime_pruning.foundation.errors import DataError

# The limit leaves room for ImageNet, which has 1.4 million files. Larger datasets can be read from a folder.
MAX_MEMBERS = 2_000_000
# The most unpacked bytes of all members together, and the most bytes of one image file.
MAX_TOTAL_BYTES, MAX_FILE_BYTES = 64 * 2**30, 64 * 2**20
# The most bytes of all headers before one member: long names, attributes, and lists of the holes in a sparse file.
MAX_HEADER_BYTES = 2**20
# The most characters of attributes of all members, which `tarfile` copies for each of them. Git writes fifty.
MAX_COMMON_CHARACTERS = 2**12
PACK_AGAIN = "pack the files again, without extended attributes and without `tar -S`"


class Tally:
    """Counts the members of one archive and their unpacked bytes, and raises an error when a limit is exceeded.

    Args:
        path: the archive, for messages.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._members, self._bytes, self._read = path, 0, 0, 0
        self._header_bytes = 0

    def add_member(self, name: str, size: int) -> None:
        """Count a member before its content is read or skipped, because a header may claim any size.

        Args:
            name: path of the member inside the archive.
            size: unpacked bytes that the header claims.

        Raises:
            DataError: the archive exceeds a limit, or the name leads out of the archive.
        """
        if name.startswith("/") or ".." in name.split("/"):
            raise DataError(f"{name} in {self._path}: its path leads out of the archive; such a member is not read")
        self._members, self._header_bytes = self._members + 1, 0
        if self._members > MAX_MEMBERS:
            raise DataError(
                f"{self._path}: more than {MAX_MEMBERS:,} files in an archive are not read; name a folder instead"
            )
        self._bytes += size
        self._check_total(self._bytes)

    def add_header(self, size: int) -> None:
        """Count bytes of headers before they are read; after `add_member`, they belong to another member.

        Raises:
            DataError: the archive exceeds a limit.
        """
        self._header_bytes += size
        if self._header_bytes > MAX_HEADER_BYTES:
            limit = f"{MAX_HEADER_BYTES / 2**20:.0f} MiB"
            raise DataError(f"{self._path}: headers of more than {limit} before one file are not read; {PACK_AGAIN}")

    def check_common(self, attributes: Mapping[str, str]) -> None:
        """Check the attributes that a tar gives to all members that follow.

        Raises:
            DataError: they exceed the limit.
        """
        if sum(len(name) + len(value) for name, value in attributes.items()) > MAX_COMMON_CHARACTERS:
            limit = f"{MAX_COMMON_CHARACTERS:,} characters"
            raise DataError(f"{self._path}: attributes of all files of more than {limit} are not read; {PACK_AGAIN}")

    def add_read(self, size: int) -> None:
        """Count unpacked bytes that were read or skipped, of headers and whatever else is no member's content.

        Raises:
            DataError: the archive exceeds the limit.
        """
        self._read += size
        self._check_total(self._read)

    def _check_total(self, size: int) -> None:
        if size > MAX_TOTAL_BYTES:
            limit = f"{MAX_TOTAL_BYTES / 2**30:.0f} GiB"
            raise DataError(f"{self._path}: more than {limit} unpacked are not read; name a folder instead")


def check_size(where: str, size: int) -> None:
    """Check the size of an image file before the file is read.

    Args:
        where: name of the file, for messages.
        size: size in bytes.

    Raises:
        DataError: the file is larger than an image file may be.
    """
    if size > MAX_FILE_BYTES:
        limit = f"{MAX_FILE_BYTES / 2**20:.0f} MiB"
        raise DataError(f"{where}: {size:,} bytes; an image file of more than {limit} is not read")
