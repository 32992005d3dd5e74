"""Find runs on disk that the grid no longer names: the command `stale`."""

import argparse
import shutil
from pathlib import Path

HELP = "list or remove runs that no grid names"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("config", type=Path, help="a study's YAML file")
    parser.add_argument("--remove", action="store_true", help="remove these runs, with their weights")


def run(options: argparse.Namespace) -> None:
    """List runs on disk that the grid no longer names, finished or not, and remove these runs if asked to."""
    from anytime_pruning.foundation.safe_text import read_yaml
    from anytime_pruning.results import layout
    from anytime_pruning.settings.study import plan_study

    study, runs = plan_study(read_yaml(options.config))
    planned = {run.name for run in runs}
    root = layout.runs_dir(study.study)
    signs = [*root.rglob(layout.METRICS), *root.rglob(layout.RESUME)]
    found = sorted({str(sign.parent.relative_to(root)) for sign in signs})
    stale = [name for name in found if name not in planned]
    for name in stale:
        print(layout.run_dir(study.study, name))
        if options.remove:
            _remove_run(study.study, name)
    print(f"{len(stale)} of {len(found)} runs are in no grid{' and were removed' if options.remove else ''}")


def _remove_run(study: str, name: str) -> None:
    """Remove a run and its weights.

    Raises:
        SettingError: a process is computing the run.
    """
    from filelock import FileLock, Timeout

    from anytime_pruning.foundation.errors import SettingError
    from anytime_pruning.results import layout

    folder = layout.run_dir(study, name)
    try:
        with FileLock(folder / layout.LOCK, blocking=False):
            shutil.rmtree(folder)
    except Timeout:
        raise SettingError(f"remove: {folder} is not allowed: a process works on this run; stop it first") from None
    shutil.rmtree(layout.weights_path(study, name).parent, ignore_errors=True)
