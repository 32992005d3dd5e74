"""Take the lock of a file, or wait for the process that holds it. The system frees the locks of dead processes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.files import is_shared
from anytime_pruning.foundation.locks.holders import clear_note, describe_holder, describe_owner, write_note

POLL_S, PATIENCE_S = 0.1, 10


class Lock:
    """Holds at most one lock file, and says in it who holds it.

    Whoever may write to the folder of a lock file may lock it, whatever the umask of the process that made the file:
    a folder that a group shares would otherwise serve only the first of its users.

    Args:
        path: the lock file; its folder must exist when the lock is taken.
        work: what the lock is held for.
    """

    def __init__(self, path: Path, work: str) -> None:
        self.path, self._work = path, work
        self._lock: BaseFileLock | None = None

    def take(self) -> bool:
        """Take the lock, or return False if another process holds it.

        Raises:
            SettingError: the lock file belongs to another user and cannot be opened.
        """
        folder = self.path.parent
        # Another user may just be making the file or its folder, which get their rights a moment later.
        patience = time.monotonic() + (PATIENCE_S if is_shared(folder.parent) else 0)
        while True:
            try:
                self._lock = self._lock or FileLock(self.path, mode=folder.stat().st_mode & 0o666)
                self._lock.acquire(blocking=False)
                break
            except Timeout:
                return False
            except PermissionError:
                if time.monotonic() >= patience:
                    raise SettingError(
                        f"{self.path}: this lock cannot be taken: {describe_owner(self.path)}; ask for the right to "
                        "write there, or name another folder"
                    ) from None
                time.sleep(POLL_S)
        if self._holds_itself():
            write_note(self.path, self._work)
        return True

    def release(self) -> None:
        """Release the lock."""
        if self._lock:
            if self._holds_itself():
                clear_note(self.path)
            self._lock.release()

    def _holds_itself(self) -> bool:
        """Return whether the system holds the lock. Where it cannot, the content of the file is the lock."""
        return not isinstance(self._lock, SoftFileLock)


@contextmanager
def locked(path: Path, work: str, others: str) -> Iterator[None]:
    """Hold the lock of a file, after waiting if necessary; who waits is told for whom.

    Args:
        path: the lock file.
        work: what the lock is held for, for the messages of other processes.
        others: what another process with this lock does: `works in this folder`.

    Raises:
        SettingError: the lock file belongs to another user and cannot be opened.
    """
    lock, told = Lock(path, work), ""
    while not lock.take():
        if (who := describe_holder(path) or "it left no name") != told:
            print(f"waiting for another process that {others}: {who}", flush=True)
            told = who
        time.sleep(POLL_S)
    try:
        yield
    finally:
        lock.release()
