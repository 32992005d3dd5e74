"""Format and read the list of a study's runs."""

from collections.abc import Sequence
from pathlib import Path


def format_runs_list(names: Sequence[str]) -> str:
    """Return the text of a list of runs: one name per line."""
    return "".join(f"{name}\n" for name in names)


def read_runs_list(path: Path) -> list[str]:
    """Read the names of runs from a file with the text of `format_runs_list`."""
    return path.read_text(encoding="utf-8").splitlines()
