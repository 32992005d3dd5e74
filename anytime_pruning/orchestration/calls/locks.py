"""Say who works in a folder that Snakemake has locked, because `--unlock` is wrong while that process lives."""

import logging
import os
import socket
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from anytime_pruning.foundation.errors import ArtifactError
from anytime_pruning.foundation.locks.holders import describe_owner, name_of_user


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


def check_owner(folder: Path) -> None:
    """Check that Snakemake may write its own files in a folder, which another user may have made.

    Raises:
        FolderInUseError: another user's call made files that this user may not change.
    """
    for place in (folder, *(folder / ".snakemake" / part for part in ("", "locks", "log", "metadata", "incomplete"))):
        if place.exists() and place.stat().st_uid != os.getuid() and not os.access(place, os.W_OK | os.X_OK):
            raise FolderInUseError(
                f"snakemake: {place} cannot be written to: {describe_owner(place)}; work in a checkout of your own, "
                "which may share execution.data_dir"
            )


def describe_lock(folder: Path) -> str:
    """Describe in one line who holds the lock of a folder, and what to do."""
    locks = [path.stat() for path in (folder / ".snakemake" / "locks").glob("*.lock")]
    since = f" since {datetime.fromtimestamp(min(lock.st_mtime for lock in locks)):%Y-%m-%d %H:%M:%S}" if locks else ""
    owners = {lock.st_uid for lock in locks}
    host = socket.gethostname()
    calls = sorted(calls_in(folder, owners))
    if holders := [call for call in calls if call.is_here] or calls:
        names = " or ".join(f"process {call.pid} of {name_of_user(call.uid)}" for call in holders)
        return (
            f"snakemake: another call is making these files ({names} on {host}{since}); wait until it has finished, "
            "then call again"
        )
    users = f" by {' or '.join(map(name_of_user, sorted(owners)))}" if owners else ""
    return (
        f"snakemake: the folder has been locked{since}{users}, but no such call was found on {host}; if it runs on "
        "another machine, wait until it has finished; if it was killed, repeat this call with --unlock, then without"
    )


class Call(NamedTuple):
    """Describes a process that is a call of Snakemake.

    Attributes:
        is_here: whether it works in the folder; the working folder of another user's process cannot be seen.
    """

    pid: int
    uid: int
    is_here: bool


def calls_in(folder: Path, owners: Collection[int] = ()) -> Iterator[Call]:
    """Yield the other processes on this machine that are calls of Snakemake in a folder, without jobs of such calls.

    Args:
        folder: the folder.
        owners: users whose calls are yielded even if their working folder cannot be seen.
    """
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            is_call = any(Path(word).name == "snakemake" for word in command[:4]) and "--target-jobs" not in command
            if is_call and int(process.name) != os.getpid():
                uid = process.stat().st_uid
                is_here = _works_in(process, folder)
                if is_here or (is_here is None and uid in owners):
                    yield Call(int(process.name), uid, bool(is_here))
        except OSError:  # the process has ended
            continue


def _works_in(process: Path, folder: Path) -> bool | None:
    """Return whether a process works in a folder, or None if it belongs to another user and cannot be looked at."""
    try:
        return (process / "cwd").readlink() == folder
    except PermissionError:
        return None
