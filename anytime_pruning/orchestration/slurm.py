"""Check that Slurm answers and has the partitions that a profile names."""

import re
import subprocess
from collections.abc import Iterable

from anytime_pruning.foundation.errors import SettingError


def check_partitions(resources: Iterable[str]) -> None:
    """Before any job is submitted to Slurm: it answers, and it has the partitions that a profile names.

    Without this, the same mistake is reported for every job, each time with the whole of its command.

    Args:
        resources: what rules have as `slurm_partition`; one name, several with commas, or an expression, which only the
            job itself can evaluate and which is not looked at.

    Raises:
        SettingError: Slurm is not here or does not answer; or there is no such partition.
    """
    try:
        answer = subprocess.run(["sinfo", "--all", "--noheader", "--format=%R"], capture_output=True, text=True)
    except FileNotFoundError:
        raise SettingError(
            "executor: 'slurm' is not allowed: sinfo is not installed; call snakemake on a machine that submits jobs, "
            "or without this profile"
        ) from None
    if answer.returncode:
        said = answer.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise SettingError(f"executor: 'slurm' is not allowed: Slurm does not answer; sinfo says: {said[0]}")
    there = set(answer.stdout.split())
    names = (name for text in resources if re.fullmatch(r"[\w.,-]+", text) for name in text.split(","))
    if unknown := sorted(set(names) - there):
        raise SettingError(f"slurm_partition: {unknown[0]!r} is not known; allowed: {', '.join(sorted(there))}")
