"""Write and read the list of a study's runs."""

from collections.abc import Sequence
from pathlib import Path

from anytime_pruning.foundation.files import write_text


def format_runs_list(names: Sequence[str]) -> str:
    """Return the text of a list of runs: one name per line."""
    return "".join(f"{name}\n" for name in names)


def write_runs_list(path: Path, names: Sequence[str]) -> None:
    """Write the names of a study's runs."""
    write_text(path, format_runs_list(names))


def read_runs_list(path: Path) -> list[str]:
    """Read the names of runs from a file that `write_runs_list` wrote."""
    return path.read_text(encoding="utf-8").splitlines()
