"""Print warnings for the user."""

import sys


def warn(message: str) -> None:
    """Print a warning as one line on stderr and let the program go on."""
    print(f"warning: {message}", file=sys.stderr, flush=True)
