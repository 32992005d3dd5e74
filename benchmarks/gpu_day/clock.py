"""Tell how much of the time of a call is left, and end the call early when it is asked to."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

# What this program itself needs at its end.
LAST_S = 1.0


class Clock:
    """Tells how much of the time of a call is left.

    Args:
        seconds: length of the call.
    """

    def __init__(self, seconds: float):
        self.seconds = seconds
        self._end = time.monotonic() + seconds - LAST_S
        self.is_cancelled = False

    def left(self) -> float:
        """Return the seconds that are left."""
        return self._end - time.monotonic()

    def cancel(self, grace_s: float) -> None:
        """End the call as soon as what is running has had its time to stop."""
        self.is_cancelled = True
        self._end = min(self._end, time.monotonic() + grace_s)


@contextmanager
def cancelled_by_signals(clock: Clock, grace_s: float) -> Iterator[None]:
    """Let SIGTERM and SIGINT end the call as its time limit does."""
    signals = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_: clock.cancel(grace_s)) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
