"""Refuse to compute results in a folder in which they would be lost."""

import subprocess
from pathlib import Path

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.results import layout

# DVC runs the experiments of its queue in folders below this one, and removes each folder when its experiment is done.
EXPERIMENTS = (".dvc", "tmp", "exps")


def check_results_stay(study: str) -> None:
    """Check that results come back from the working folder if it is one that DVC removes.

    DVC brings back what git or DVC's cache keeps. It loses results that git ignores, and so every run that was trained.

    Raises:
        SettingError: the results of the study would be lost.
    """
    parts = Path.cwd().parts
    if not any(parts[i : i + len(EXPERIMENTS)] == EXPERIMENTS for i in range(len(parts))):
        return
    runs = layout.runs_dir(study)
    try:
        is_lost = subprocess.run(["git", "check-ignore", "--quiet", runs / "x"]).returncode == 0
    except OSError:
        return
    if is_lost:
        raise SettingError(
            f"study: {study!r} is not allowed in a queue of DVC: git ignores {runs.parent}, and DVC would throw away "
            "its runs; call dvc exp run without --queue and --temp, or let .gitignore keep the study"
        )
