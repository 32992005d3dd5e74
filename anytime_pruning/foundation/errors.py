"""Define the errors that a user can meet, and shorten values and messages so that each message fits on one line."""

import errno
import reprlib
from collections.abc import Sequence

# The longest message, and the longest value inside a message, in characters.
MESSAGE_LIMIT, VALUE_LIMIT = 1000, 80
# The most names in a list of a message.
MOST_NAMES = 6
# What the machine lacks, by the number of the system's error.
SHORTAGES = {errno.ENOMEM: "memory", errno.EMFILE: "open files", errno.ENFILE: "open files"}
AGAINST_SHORTAGE = "run fewer jobs at once, or raise the limits that `ulimit -a` shows"


class ArtifactError(Exception):
    """Signals a problem that the command line prints as one line, without a traceback.

    Attributes:
        exit_status: exit status of the command line after this error.
    """

    exit_status = 1

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class SettingError(ArtifactError, ValueError):
    """Signals that a setting has a wrong value; the message names the setting, its value and the allowed values."""

    exit_status = 2


class DataError(ArtifactError):
    """Signals a data file that is missing, corrupt or of the wrong kind; the message names the file and a remedy."""

    exit_status = 2


class DivergenceError(ArtifactError):
    """Signals a value that is not finite; the message names the megabatch and the training step."""


class CapacityError(ArtifactError):
    """Signals that memory or a disk is full; the message names the settings to lower, or the file."""


class InvariantError(ArtifactError):
    """Signals that a run broke an invariant; the message names the invariant, the megabatch and the layer."""


class VerificationError(ArtifactError):
    """Signals that stored results failed verification; each problem was printed on its own line before."""


def one_line(text: str) -> str:
    """Return a message in a form that a terminal shows on one line.

    A message may quote names of files and keys that hold line breaks or sequences that move a terminal's cursor.

    Args:
        text: any message.

    Returns:
        At most `MESSAGE_LIMIT` printable characters: control characters are escaped, and the middle of a long message
        is replaced by dots.
    """
    if len(text) > MESSAGE_LIMIT:
        end = MESSAGE_LIMIT // 4
        text = f"{text[: MESSAGE_LIMIT - end - 5]} ... {text[-end:]}"
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= MESSAGE_LIMIT else shown[: MESSAGE_LIMIT - 4] + " ..."


def show(value: object) -> str:
    """Return the `repr` of a value, cut to at most `VALUE_LIMIT` characters, however large or deep the value is."""
    shown = _shortener.repr(value)
    return shown if len(shown) <= VALUE_LIMIT else shown[: VALUE_LIMIT - 3] + "..."


def name_some(names: Sequence[str]) -> str:
    """Join names for a message, and only count the rest if there are many."""
    rest = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{', '.join(names[:MOST_NAMES])}{rest}"


def causes(error: BaseException, handled: BaseException | None = None) -> list[BaseException]:
    """Return an error after the errors that led to it, the very first one first.

    Args:
        error: the error, with the errors during whose handling it was raised.
        handled: an error that was being handled before the failed work began; it does not count.
    """
    found: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step is not handled and step not in found:
        found.append(step)
        step = step.__cause__ or step.__context__
    return found[::-1]


def shortage(error: BaseException) -> str | None:
    """Return what the machine lacks if that is why an error was raised: memory, threads or open files; else None.

    Such an error says nothing about the file that was being read.
    """
    if isinstance(error, OSError):
        return SHORTAGES.get(error.errno or 0)
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return "threads"
    return "memory" if isinstance(error, MemoryError) else None


def message_of(error: BaseException) -> str:
    """Return an error's message with its lines joined, or the name of its class if there is no message."""
    return " ".join(str(error).split()) or type(error).__name__


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the name of its class if there is no message."""
    return " ".join(str(error).strip().partition("\n")[0].split()) or type(error).__name__


def describe_system_error(error: OSError) -> str:
    """Return one line that names the file of a system's error, if it has one, and says what the system says."""
    return one_line(f"{error.filename or 'system'}: {error.strerror or error}")


class _Shortener(reprlib.Repr):
    """Writes only the beginning of a value.

    With the aliases of YAML, a small file can describe a value that would fill gigabytes when written out.
    """

    # Snakemake passes its configuration as an OrderedDict, whose own `repr` has no limit.
    repr_OrderedDict = reprlib.Repr.repr_dict

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 4, VALUE_LIMIT, VALUE_LIMIT
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = 12

    def repr_int(self, x: int, level: int) -> str:
        # Python raises an error when it has to write an integer of thousands of digits.
        return repr(x) if x.bit_length() < 10 * VALUE_LIMIT else f"an integer of {x.bit_length()} bits"


_shortener = _Shortener()
