"""The errors a user can meet, each with the exit status of the command line; what they say fits on one line."""

import reprlib
from collections.abc import Mapping
from typing import Any

# Characters of a message, and of a value that a message shows.
MESSAGE_LIMIT, VALUE_LIMIT = 1000, 80


class ArtifactError(Exception):
    """Something the command line reports as one line, without a traceback."""

    exit_status = 1

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class SettingError(ArtifactError, ValueError):
    """A setting has a value that is not allowed; the message names the setting, its value and what is allowed."""

    exit_status = 2


class DataError(ArtifactError):
    """A data file is missing, corrupt or of the wrong kind; the message names it and what to do."""

    exit_status = 2


class DivergenceError(ArtifactError):
    """Training or scoring met a value that is not finite; the message names the megabatch and the step."""


class CapacityError(ArtifactError):
    """Memory or a disk does not suffice; the message names the settings to lower, or the file."""


class InvariantError(ArtifactError):
    """What must hold at every moment of a run does not; the message names it, the megabatch and the layer."""


class VerificationError(ArtifactError):
    """Stored results are not what they should be; each problem was said in a line of its own before."""


def one_line(text: str) -> str:
    """A message that a terminal shows on one line: control characters escaped, the middle of a long one left out.

    Names of files and keys are in messages as they are, and may hold line breaks or what moves a terminal's cursor.
    """
    if len(text) > MESSAGE_LIMIT:
        end = MESSAGE_LIMIT // 4
        text = f"{text[: MESSAGE_LIMIT - end - 5]} ... {text[-end:]}"
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= MESSAGE_LIMIT else shown[: MESSAGE_LIMIT - 4] + " ..."


def show(value: Any) -> str:
    """A value as messages show it: as Python writes it, cut short, however large or deep it is."""
    shown = _short.repr(value)
    return shown if len(shown) <= VALUE_LIMIT else shown[: VALUE_LIMIT - 3] + "..."


class _Short(reprlib.Repr):
    """Writes no more of a value than is shown: aliases in YAML make small files that are gigabytes when written out."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 4, VALUE_LIMIT, VALUE_LIMIT
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = 12

    def repr1(self, x: Any, level: int) -> str:
        # Also an OrderedDict, for which the base class asks the value itself.
        return self.repr_dict(x, level) if isinstance(x, Mapping) else super().repr1(x, level)

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write out integers of thousands of digits.
        return repr(x) if x.bit_length() < 10 * VALUE_LIMIT else f"an integer of {x.bit_length()} bits"


_short = _Short()
