"""Turn SIGTERM and SIGINT into an exception, raised only where the run can later be continued."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(KeyboardInterrupt):
    """Stops a process that received a signal.

    Attributes:
        signum: number of the signal; the exit status is 128 plus this number.
        is_safe: true if `check` raised the exception. At such a place no object is half-changed, so the state of the
            run may be saved.
        kept: text for the user that says what was kept and where; empty if nothing was kept.
    """

    def __init__(self, signum: int, is_safe: bool) -> None:
        super().__init__(signum)
        self.signum, self.is_safe, self.kept = signum, is_safe, ""

    def __str__(self) -> str:
        return f"interrupted by {signal.Signals(self.signum).name}; {self.kept or 'no results were written'}"


@dataclass
class _State:
    """Holds the state of the signal handler.

    Attributes:
        signum: number of the last signal received; None before the first signal.
        is_deferring: whether the first signal waits for `check`.
    """

    signum: int | None = None
    is_deferring: bool = False


# The state is global, because Python passes no argument of ours to a signal handler.
_state = _State()


@contextmanager
def handling() -> Iterator[None]:
    """Raise `Interrupted` in the main thread on SIGTERM and SIGINT, unless the parent process ignores the signal."""
    before = {signum: signal.getsignal(signum) for signum in SIGNALS}
    for signum in SIGNALS:
        if before[signum] is not signal.SIG_IGN:
            signal.signal(signum, _handle)
    try:
        yield
    finally:
        for signum in SIGNALS:
            signal.signal(signum, before[signum])
        _state.signum = None


@contextmanager
def deferring() -> Iterator[None]:
    """Hold back the first signal until `check` is called, or for ever without a call; a second signal acts at once."""
    _state.is_deferring = True
    try:
        yield
    finally:
        _state.is_deferring = False


def is_due() -> bool:
    """Return whether `check` would raise `Interrupted`."""
    return _state.is_deferring and _state.signum is not None


def check() -> None:
    """Raise `Interrupted` if a signal was held back; call this function wherever the process may stop.

    Raises:
        Interrupted: a signal was held back.
    """
    if is_due() and _state.signum is not None:
        raise Interrupted(_state.signum, is_safe=True)


def _handle(signum: int, frame: FrameType | None) -> None:
    is_first = _state.signum is None
    _state.signum = signum
    if not (_state.is_deferring and is_first):
        raise Interrupted(signum, is_safe=False)
