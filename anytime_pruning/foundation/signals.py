"""SIGTERM and SIGINT: a run that is told to stop does so at a moment from which it can go on later. Torch-free."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(KeyboardInterrupt):
    """A process was told to stop.

    Attributes:
        signum: of the signal; the exit status is 128 and this.
        is_safe: raised by `check`, where nothing is half-changed; what the process holds may be kept.
        kept: for a person, what was kept and where; empty if nothing.
    """

    def __init__(self, signum: int, is_safe: bool):
        super().__init__(signum)
        self.signum, self.is_safe, self.kept = signum, is_safe, ""

    def __str__(self) -> str:
        return f"interrupted by {signal.Signals(self.signum).name}; {self.kept or 'no results were written'}"


class _Told:
    """What the handler knows: a handler has no caller that could pass it anything."""

    signum: int | None = None
    is_deferring = False


@contextmanager
def handling() -> Iterator[None]:
    """Raise `Interrupted` in the main thread on SIGTERM and SIGINT, unless whoever started the process ignores them."""
    before = {signum: signal.getsignal(signum) for signum in SIGNALS}
    for signum in SIGNALS:
        if before[signum] is not signal.SIG_IGN:
            signal.signal(signum, _handle)
    try:
        yield
    finally:
        for signum in SIGNALS:
            signal.signal(signum, before[signum])
        _Told.signum = None


@contextmanager
def deferring() -> Iterator[None]:
    """Within, the first signal waits for `check`, and if none comes, for ever; a second one is not put off."""
    _Told.is_deferring = True
    try:
        yield
    finally:
        _Told.is_deferring = False


def is_due() -> bool:
    """Whether `check` would raise."""
    return _Told.is_deferring and _Told.signum is not None


def check() -> None:
    """Called where a process may stop: raise what was put off."""
    if is_due():
        raise Interrupted(_Told.signum, is_safe=True)


def _handle(signum: int, frame: FrameType | None) -> None:
    is_first = _Told.signum is None
    _Told.signum = signum
    if not (_Told.is_deferring and is_first):
        raise Interrupted(signum, is_safe=False)
