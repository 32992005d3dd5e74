"""Prepare the environment of jobs, in a container or outside."""

import os
import shutil
import sys
from pathlib import Path

from anytime_pruning.foundation.errors import SettingError


def put_own_python_first() -> None:
    """Let `python` in a job's shell be the one that runs now, whether or not its environment was activated."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"


# What a job in a container must know of the one outside, which `apptainer --cleanenv` keeps from it: its GPU above all.
PASSED_INSIDE = ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID", "WANDB_API_KEY", "WANDB_MODE", "WANDB_PROJECT")


def prepare_container(image: str) -> None:
    """Before any job starts in a container: it can, and what it must know of its surroundings will reach it.

    Args:
        image: a SIF file, or an address such as docker://..., which Snakemake fetches itself.

    Raises:
        SettingError: nothing here runs containers, or the file is missing.
    """
    if not any(map(shutil.which, ("apptainer", "singularity"))):
        raise SettingError(
            "--use-singularity is not allowed: neither apptainer nor singularity is installed; install apptainer, or "
            "leave the option out"
        )
    if "://" not in image and not Path(image).is_file():
        raise SettingError(
            f"container: {image!r} is not there; `make image` builds envs/anytime-pruning.sif, or name another image"
        )
    os.environ |= {f"APPTAINERENV_{name}": os.environ[name] for name in PASSED_INSIDE if name in os.environ}
