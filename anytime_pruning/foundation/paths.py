"""Read the paths that users write."""

import os
from pathlib import Path


def expand_home(path: str | Path) -> Path:
    """Return a path in which `~` at the beginning is the user's home; `~` of an unknown user stays as it is."""
    return Path(os.path.expanduser(path))
