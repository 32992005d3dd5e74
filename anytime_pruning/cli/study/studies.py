"""Find the studies that have results: the command `studies`."""

import argparse
import sys
from collections import defaultdict
from pathlib import Path

HELP = "list the studies that have results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the folder to search."""
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path("config"), help="folder of configuration files (default: config)"
    )


def run(options: argparse.Namespace) -> None:
    """Print the name and the configuration file of each study that has results; `make figures` draws these studies."""
    from anytime_pruning.foundation.errors import ArtifactError, SettingError, name_some, one_line
    from anytime_pruning.foundation.files import walk
    from anytime_pruning.orchestration.study_files import find_files, read_study_name
    from anytime_pruning.results import layout

    mistakes: list[ArtifactError] = []
    files: dict[str, list[Path]] = defaultdict(list)
    for path in find_files(options.folder):
        try:
            if study := read_study_name(path):
                files[study].append(path)
        except ArtifactError as error:
            mistakes.append(error)
    for study, paths in files.items():
        if len(paths) > 1:
            named = name_some([str(path) for path in paths])
            mistakes.append(
                SettingError(f"study: {study!r} is not allowed in several files: {named}; rename all but one")
            )
        elif any(path.name == layout.METRICS for path in walk(layout.runs_dir(study))):
            print(f"{study} {paths[0]}")
        else:
            print(one_line(f"{paths[0]}: the study {study} has no results yet"), file=sys.stderr)
    for mistake in mistakes[:-1]:
        print(f"error: {mistake}", file=sys.stderr)
    if mistakes:
        raise mistakes[-1]
