"""Do the work of the stages, each in a process of its own, and print each measurement as one line of JSON."""

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any


def report(key: str, value: Any) -> None:
    """Print a measurement, which the parent process keeps at once."""
    print(json.dumps({"measured": key, "value": value}), flush=True)


@contextmanager
def gathering_warnings() -> Iterator[list[str]]:
    """Gather the warnings of the package in a list, which is filled at the end; they are still printed.

    A way to train that warns, such as one whose step cannot be recorded, is not what its name says.
    """
    found: list[str] = []
    with redirect_stderr(io.StringIO()) as said:
        try:
            yield found
        finally:
            lines = said.getvalue().splitlines()
            found += [line.removeprefix("warning: ") for line in lines if line.startswith("warning: ")]
            print(said.getvalue(), end="", file=sys.__stderr__, flush=True)


def is_recorded(trainer: Any) -> bool:
    """Return whether a trainer replays its step from now on."""
    return getattr(trainer.step, "is_recorded", False) is True
