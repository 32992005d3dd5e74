"""Limit how much of an archive or image file is read, so that no file fills the memory or takes hours to read."""

from pathlib import Path

from anytime_pruning.foundation.errors import DataError

# The limit leaves room for ImageNet, which has 1.4 million files. Larger datasets can be read from a folder.
MAX_MEMBERS = 2_000_000
# The most unpacked bytes of all members together, and the most bytes of one image file.
MAX_TOTAL_BYTES, MAX_FILE_BYTES = 64 * 2**30, 64 * 2**20


class Tally:
    """Counts the members of one archive and their unpacked bytes, and raises an error when a limit is exceeded.

    Args:
        path: the archive, for messages.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._members, self._bytes = path, 0, 0

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
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise DataError(
                f"{self._path}: more than {MAX_MEMBERS:,} files in an archive are not read; name a folder instead"
            )
        self.add_bytes(size)

    def add_bytes(self, size: int) -> None:
        """Count unpacked bytes.

        Raises:
            DataError: the archive exceeds the limit.
        """
        self._bytes += size
        if self._bytes > MAX_TOTAL_BYTES:
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
