"""Find the studies that have results: the command `studies`."""

import argparse
import sys
from pathlib import Path

HELP = "list the studies that have results"
SUFFIXES = (".yaml", ".yml", ".json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the folder to search."""
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path("config"), help="folder of configuration files (default: config)"
    )


def run(options: argparse.Namespace) -> None:
    """Print the name and the configuration file of each study that has results; `make figures` draws these studies."""
    from anytime_pruning.foundation.errors import ArtifactError, one_line
    from anytime_pruning.results import layout

    mistakes = []
    for path in sorted(path for path in options.folder.iterdir() if path.suffix in SUFFIXES and path.is_file()):
        try:
            study = _read_study(path)
        except ArtifactError as error:
            mistakes.append(error)
            continue
        if study is None:
            continue
        if any(layout.runs_dir(study).rglob(layout.METRICS)):
            print(f"{study} {path}")
        else:
            print(one_line(f"{path}: the study {study} has no results yet"), file=sys.stderr)
    for mistake in mistakes[:-1]:
        print(f"error: {mistake}", file=sys.stderr)
    if mistakes:
        raise mistakes[-1]


def _read_study(path: Path) -> str | None:
    """Return the name of the study in a file, or None for a file of another kind, such as the paper's claims.

    Raises:
        SettingError: the file cannot be read, or its study has no name or a wrong one.
    """
    from anytime_pruning.foundation.errors import SettingError
    from anytime_pruning.foundation.fields import check_name
    from anytime_pruning.foundation.safe_text import read_yaml

    content = read_yaml(path)
    if not {"study", "grid"} & content.keys():
        return None
    if "study" not in content:
        raise SettingError(f"config: {path}: study: this setting is required")
    return check_name(f"config: {path}: study", content["study"])
