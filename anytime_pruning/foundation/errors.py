"""Define the errors that a user can meet, and write values and messages so that they fit on one line."""

import reprlib

# Characters of a message, and of a value that a message shows.
MESSAGE_LIMIT, VALUE_LIMIT = 1000, 80


class ArtifactError(Exception):
    """Report a problem that the command line prints as one line, without a traceback.

    Attributes:
        exit_status: status with which the command line ends.
    """

    exit_status = 1

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class SettingError(ArtifactError, ValueError):
    """Refuse the value of a setting; the message names the setting, its value and the allowed values."""

    exit_status = 2


class DataError(ArtifactError):
    """Refuse a data file that is missing, corrupt or of the wrong kind; the message names the file and a remedy."""

    exit_status = 2


class DivergenceError(ArtifactError):
    """Stop at a value that is not finite; the message names the megabatch and the training step."""


class CapacityError(ArtifactError):
    """Stop because memory or a disk is full; the message names the settings to lower, or the file."""


class InvariantError(ArtifactError):
    """Stop because a property that every run keeps is broken; the message names the property, megabatch and layer."""


class VerificationError(ArtifactError):
    """Report that stored results failed verification; every problem has been printed on its own line before."""


def one_line(text: str) -> str:
    """Return a message that a terminal shows on one line.

    A message quotes names of files and keys, which may hold line breaks or sequences that move a terminal's cursor.

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
    """Return a value as Python writes it, cut to at most `VALUE_LIMIT` characters, however large or deep it is."""
    shown = _shortener.repr(value)
    return shown if len(shown) <= VALUE_LIMIT else shown[: VALUE_LIMIT - 3] + "..."


class _Shortener(reprlib.Repr):
    """Write only the beginning of a value.

    The aliases of YAML make small files whose values would fill gigabytes when written out.
    """

    # Snakemake hands its configuration over in this type, which `reprlib` would ask to write itself out in full.
    repr_OrderedDict = reprlib.Repr.repr_dict

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 4, VALUE_LIMIT, VALUE_LIMIT
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = 12

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write out integers of thousands of digits.
        return repr(x) if x.bit_length() < 10 * VALUE_LIMIT else f"an integer of {x.bit_length()} bits"


_shortener = _Shortener()
