"""What the rules need beyond the plan of a study: its lists for the jobs, which data a run waits for. No torch."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from anytime_pruning.datasets.cache import cache_path
from anytime_pruning.figures.catalog import Figure
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.files import write_if_different, write_text
from anytime_pruning.results import layout
from anytime_pruning.settings.run import RunSettings


def write_runs_list(path: Path, names: Sequence[str], runs_table: Path) -> None:
    """The grid as a file, which collecting runs depends on: the names of the runs, one a line.

    It changes when the grid does, and also when the collected table is of other runs, as it is after figures were drawn
    while some were missing: then a comment tells this time from any before, for Snakemake takes a file as new by its
    content.
    """
    if runs_table.exists() and _runs_in(runs_table) != set(names):
        write_text(path, "".join(f"{name}\n" for name in names) + f"# tables of other runs, {time.time_ns()}\n")
    elif not path.exists() or read_runs_list(path) != list(names):
        write_text(path, "".join(f"{name}\n" for name in names))


def read_runs_list(path: Path) -> list[str]:
    """The names of runs in a file of `write_runs_list`."""
    return [line for line in path.read_text().splitlines() if not line.startswith("#")]


def _runs_in(table: Path) -> set[str]:
    with table.open(newline="") as file:
        return {row.get("run", "") for row in csv.DictReader(file)}


def write_figure_plan(path: Path, figures: dict[str, Figure]) -> None:
    """The figures of a study as JSON, for the jobs that draw them."""
    write_if_different(path, json.dumps({name: figure.as_json() for name, figure in figures.items()}, indent=1) + "\n")


def table_of_figure(figure: Figure, tables_dir: str) -> list[str]:
    """The collected table that a figure is drawn from; none for a diagram."""
    return [f"{tables_dir}/{figure.table}.csv"] if figure.table else []


def data_of_run(study: str, name: str, settings: RunSettings) -> list[str]:
    """The cached dataset that a run has to wait for: none if the run is there already.

    Without this, a clone that has results but no data would train everything again as soon as one run is missing:
    Snakemake runs every job whose input is made anew, even an `ancient` one.
    """
    if (layout.run_dir(study, name) / layout.METRICS).exists():
        return []
    return [str(cache_path(settings.dataset, settings.execution.data_dir))]


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
