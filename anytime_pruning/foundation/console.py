"""Print one-line warnings for a person."""

import sys


def warn(message: str) -> None:
    """One line for a person; the run goes on."""
    print(f"warning: {message}", file=sys.stderr, flush=True)
