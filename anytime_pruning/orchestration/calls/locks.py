"""Say who works in a folder that Snakemake has locked, because `--unlock` is wrong while that process lives."""

import logging
import os
import socket
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from anytime_pruning.foundation.errors import ArtifactError


class FolderInUseError(ArtifactError):
    """Signals that another call of Snakemake makes the same files."""

    exit_status = 2


def replace_lock_message(refuse: Callable[[FolderInUseError], str]) -> Callable[[logging.LogRecord], bool]:
    """Return a filter for Snakemake's logger that replaces its message about a locked folder.

    Snakemake looks at the lock only after it has read the Snakefile, and then always advises `--unlock`.

    Args:
        refuse: takes the error, and ends the call or returns the line that is logged instead.
    """

    def replace(record: logging.LogRecord) -> bool:
        if getattr(record, "exception", None) == "LockException":
            record.msg, record.args = refuse(FolderInUseError(describe_lock(Path.cwd()))), ()
        return True

    return replace


def describe_lock(folder: Path) -> str:
    """Describe in one line who holds the lock of a folder, and what to do."""
    locks = [path.stat().st_mtime for path in (folder / ".snakemake" / "locks").glob("*.lock")]
    since = f" since {datetime.fromtimestamp(min(locks)):%Y-%m-%d %H:%M:%S}" if locks else ""
    host = socket.gethostname()
    if holders := sorted(calls_in(folder)):
        names = " or ".join(f"process {pid}" for pid in holders)
        return (
            f"snakemake: another call is making these files ({names} on {host}{since}); wait until it has finished, "
            "then call again"
        )
    return (
        f"snakemake: the folder has been locked{since}, by no process that could be found on {host}; if the call runs "
        "on another machine, wait until it has finished; if it was killed, repeat this call with --unlock, then without"
    )


def calls_in(folder: Path) -> Iterator[int]:
    """Yield the other processes on this machine that are calls of Snakemake in a folder, without jobs of such calls."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            is_call = any(Path(word).name == "snakemake" for word in command[:4]) and "--target-jobs" not in command
            if is_call and int(process.name) != os.getpid() and (process / "cwd").readlink() == folder:
                yield int(process.name)
        except OSError:  # the process has ended, or belongs to somebody else
            continue
