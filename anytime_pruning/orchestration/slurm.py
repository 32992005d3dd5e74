"""Check that Slurm answers and has the partitions that a profile names."""

import re
import subprocess
from collections.abc import Iterable

from anytime_pruning.foundation.errors import SettingError


def check_partitions(resources: Iterable[str]) -> None:
    """Check, before any job is submitted, that Slurm answers and has the partitions that a profile names.

    Without this check, the same mistake would be reported for every job, each time with the whole command of the job.

    Args:
        resources: values of `slurm_partition`. A value is one name, several names with commas, or an expression. Only
            the job itself can evaluate an expression, so expressions are not checked.

    Raises:
        SettingError: Slurm is not installed or does not answer, or a partition does not exist.
    """
    try:
        answer = subprocess.run(
            ["sinfo", "--all", "--noheader", "--format=%R"], capture_output=True, encoding="utf-8", errors="replace"
        )
    except FileNotFoundError:
        raise SettingError(
            "executor: 'slurm' is not allowed: sinfo is not installed; call snakemake on a machine that submits jobs, "
            "or without this profile"
        ) from None
    if answer.returncode:
        said = answer.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise SettingError(f"executor: 'slurm' is not allowed: Slurm does not answer; sinfo says: {said[0]}")
    known = set(answer.stdout.split())
    names = (name for text in resources if re.fullmatch(r"[\w.,-]+", text) for name in text.split(","))
    if unknown := sorted(set(names) - known):
        raise SettingError(f"slurm_partition: {unknown[0]!r} is not known; allowed: {', '.join(sorted(known))}")
