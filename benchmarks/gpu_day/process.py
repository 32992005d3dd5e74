"""Run one process under a clock: follow its lines, ask it to stop in time, and leave nothing of it behind."""

import ctypes
import os
import selectors
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import BinaryIO

from benchmarks.jobs import ROOT

POLL_S = 0.2
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Outcome:
    """Holds how a process ended.

    Attributes:
        status: its exit status, negative for a signal.
        seconds: how long it ran.
        was_stopped: whether it was asked to stop.
        tail: its last lines.
    """

    status: int
    seconds: float
    was_stopped: bool
    tail: tuple[str, ...]


def run_process(
    command: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    left: Callable[[], float],
    grace_s: float,
    listen: Callable[[str], None],
) -> Outcome:
    """Run a process to its end or until its time is up.

    The process gets SIGTERM `grace_s` before the end of its time, and at the end SIGKILL with all processes that it
    started. It gets SIGTERM, too, if this process dies.

    Args:
        command: the command line.
        environment: environment of the process.
        log: a file to which everything that the process prints is added.
        left: returns the seconds that the process may still run.
        grace_s: seconds from asking the process to stop to its end.
        listen: a function that is called with each line.
    """
    libc = ctypes.CDLL(None)

    def die_with_parent() -> None:
        if hasattr(libc, "prctl"):
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    log.parent.mkdir(parents=True, exist_ok=True)
    started, was_stopped, last = monotonic(), False, deque[str](maxlen=8)
    with open(log, "ab") as file, selectors.DefaultSelector() as selector:
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        reader = _Lines(child.stdout.fileno(), file, listen, last)
        selector.register(child.stdout, selectors.EVENT_READ)
        try:
            while child.poll() is None:
                if not selector.get_map():
                    sleep(POLL_S)
                elif selector.select(POLL_S) and not reader.read():
                    selector.unregister(child.stdout)
                if left() <= 0:
                    _end(child)
                elif left() <= grace_s and not was_stopped:
                    was_stopped = True
                    child.terminate()
        finally:
            _end(child)
            reader.read_rest()
            child.stdout.close()
    return Outcome(child.returncode, monotonic() - started, was_stopped or left() <= 0, tuple(last))


class _Lines:
    """Splits the output of a process into lines, and adds it to a file."""

    def __init__(self, descriptor: int, file: BinaryIO, listen: Callable[[str], None], last: deque[str]):
        self._descriptor, self._file, self._listen, self._last = descriptor, file, listen, last
        self._rest = b""
        os.set_blocking(descriptor, False)

    def read(self) -> bool:
        """Read what is there, and return whether more may come."""
        try:
            data = os.read(self._descriptor, 1 << 16)
        except BlockingIOError:
            return True
        self._file.write(data)
        self._file.flush()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines if data else [self._rest]:
            # A bar of progress overwrites its line; only the last text of such a line counts.
            text = line.decode(errors="replace").rstrip("\r").rpartition("\r")[2].rstrip()
            if text:
                self._last.append(text)
                self._listen(text)
        return bool(data)

    def read_rest(self) -> None:
        """Read what a process that has ended left in the pipe."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._descriptor, selectors.EVENT_READ)
            while selector.select(0) and self.read():
                pass


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill a process and whatever it started, also what has outlived it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
