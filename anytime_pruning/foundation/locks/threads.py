"""Let the threads of one process take turns at work that changes the process itself."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from anytime_pruning.foundation.errors import SettingError


class Turn:
    """Lets one thread of the process work at a time, and says for whom the others wait.

    Args:
        work: name of the work, for messages.
    """

    def __init__(self, work: str) -> None:
        self._work = work
        self._reset()
        # A process that is forked meanwhile has only the thread that forked it, so nobody would free the lock there.
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock, self._holder, self._place = threading.Lock(), 0, ""

    @contextmanager
    def taken(self, place: str) -> Iterator[None]:
        """Hold the turn, after waiting if necessary.

        Args:
            place: what the turn is held for, for the messages of those that wait.

        Raises:
            SettingError: this thread already holds the turn, and would wait for itself.
        """
        if self._holder == threading.get_ident():
            raise SettingError(
                f"{self._work} is not allowed inside of {self._work}, which works in {self._place}; call it afterwards"
            )
        if not self._lock.acquire(blocking=False):
            print(f"waiting for another thread of this process that works in {self._place}", flush=True)
            self._lock.acquire()
        try:
            self._holder, self._place = threading.get_ident(), place
            yield
        finally:
            self._holder = 0
            self._lock.release()
