"""Write into a lock file who holds the lock, and say it to those who wait. Nobody relies on what a file says."""

import json
import os
import pwd
import socket
import stat
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from anytime_pruning.foundation.errors import one_line

# Whoever may write to a lock file may write anything, so only its beginning is read.
LIMIT = 4096


def write_note(path: Path, work: str) -> None:
    """Write into a lock file that this process holds it since now; a file that cannot be written to stays as it is.

    Args:
        path: the lock file, whose lock this process holds.
        work: what the lock is held for.
    """
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
    note = {"user": name_of_user(os.getuid()), "pid": os.getpid(), "host": socket.gethostname(), "since": now}
    _overwrite(path, json.dumps(note | {"work": work}))


def clear_note(path: Path) -> None:
    """Empty a lock file whose lock this process is about to release."""
    _overwrite(path, "")


def describe_holder(path: Path) -> str | None:
    """Describe who holds a lock, or return None if its file does not say it, or says it of a process that has ended."""
    try:
        # Another user may have put something else here, which must not be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        with open(descriptor, "rb") as file:
            note = json.loads(file.read(LIMIT))
        user, pid, host, since, work = (note[key] for key in ("user", "pid", "host", "since", "work"))
        if host == socket.gethostname() and not _is_alive(int(pid)):
            return None
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return None
    return one_line(f"process {pid} of {user} on {host} since {since}, for {work}")


def describe_owner(path: Path) -> str:
    """Describe whose a path is, or whose the innermost folder above it that can be looked at."""
    for place in (path, *path.absolute().parents):
        with suppress(OSError):
            status = place.stat()
            return f"{place} belongs to {name_of_user(status.st_uid)}, mode {stat.S_IMODE(status.st_mode):o}"
    return f"{path} cannot be looked at"


def name_of_user(uid: int) -> str:
    """Return the name of a user, or the number of one without a name, as in a container."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:  # it belongs to another user
        return True
    except (OSError, OverflowError):
        return False
    return True


def _overwrite(path: Path, text: str) -> None:
    """Replace the content of a lock file, unless it is not only a lock file: a link, or a file with two names."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        with open(descriptor, "wb") as file:
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                file.truncate()
                file.write(text.encode())
