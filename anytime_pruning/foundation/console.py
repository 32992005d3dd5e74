"""Print messages for the user."""

import io
import sys

from anytime_pruning.foundation.errors import one_line


def escape_what_cannot_be_printed() -> None:
    """Let stdout and stderr escape the characters that the locale of this machine lacks.

    A table that is printed, or a name in a message, would otherwise end the program on a machine whose locale is not
    UTF-8.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def warn(message: str) -> None:
    """Print a warning as one line on stderr, whatever it quotes, and let the program go on."""
    print(f"warning: {one_line(message)}", file=sys.stderr, flush=True)
