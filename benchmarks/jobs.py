"""Measure in separate processes how much time and memory a job needs beside training, and how jobs share a machine."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.children import READY

if TYPE_CHECKING:
    import torch

ROOT = Path(__file__).parent.parent
ENVIRONMENT = os.environ | {
    # What the caller added stays, such as a folder of packages that the machine lacks.
    "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
}


def measure_start_up(repeats: int) -> dict[str, float]:
    """Return the seconds from process start to the first training step on digits.

    A first process fills the cache and is not counted.
    """
    seconds = [_child("first_step", str(time.time()))["seconds"] for _ in range(repeats + 1)][1:]
    return {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds)}


def measure_sharing(
    name: str,
    device: "torch.device",
    seconds: float,
    rounds: int,
    keep: Callable[[dict[str, dict[str, float]]], None] = lambda _: None,
) -> dict[str, dict[str, float]]:
    """Return the samples per second of all jobs together, for different ways to share the machine.

    Args:
        name: name of the network.
        device: the device to share.
        seconds: duration of each turn in seconds.
        rounds: number of turns for each way.
        keep: a function that is called after each turn with what was measured so far.
    """
    cores = os.cpu_count() or 1
    if device.type == "cuda":
        ways = {f"{n} job(s) on one GPU": ("ours", n, 1) for n in (1, 2, 4)}
    else:
        ways = {
            f"1 job of {cores} threads": ("ours", 1, cores),
            f"{cores} jobs of 1 thread": ("ours", cores, 1),
            f"1 job of {cores} threads that gives freed memory back": ("ours-gives-back", 1, cores),
        }
    ways["the plain loop"] = ("plain", 1, 1 if device.type == "cuda" else cores)
    totals: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, (kind, n_jobs, threads) in ways.items():
            totals[way].append(run_together(kind, name, (n_jobs, threads), seconds, device))
            keep(_summary(totals))
    return _summary(totals)


def run_together(
    kind: str,
    name: str,
    jobs: tuple[int, int],
    seconds: float,
    device: "torch.device | str",
    environment: Mapping[str, str] = ENVIRONMENT,
) -> float:
    """Return the samples per second of several jobs together, which begin when all of them are prepared.

    Args:
        kind: `plain`, `ours` or `ours-gives-back`, as `benchmarks.children` explains.
        name: name of the network.
        jobs: number of jobs, and the number of threads of each.
        seconds: duration of the measurement in seconds; it is the same interval for all jobs.
        device: the device to share.
        environment: environment of the processes.

    Raises:
        subprocess.CalledProcessError: a job failed; the others are ended.
    """
    n_jobs, threads = jobs
    arguments = ("throughput", kind, name, str(threads), str(seconds), str(device), str(n_jobs))
    children = [_start(*arguments, environment=environment) for _ in range(n_jobs)]
    try:
        for child in children:
            _await_ready(child)
        for child in children:
            # A child that has died since is named below, by its exit status.
            with suppress(BrokenPipeError):
                child.stdin.write("go\n")
                child.stdin.flush()
        return sum(_finish(child)["samples_per_s"] for child in children)
    finally:
        for child in children:
            child.kill()
            child.wait()


def _await_ready(child: subprocess.Popen[str]) -> None:
    for line in child.stdout:
        if line.rstrip("\n") == READY:
            return
    raise subprocess.CalledProcessError(child.wait(), child.args)


def _summary(totals: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    return {
        way: {"samples_per_s": statistics.median(values), "min": min(values), "max": max(values)}
        for way, values in totals.items()
        if values
    }


def measure_memory(name: str) -> dict[str, int]:
    """Return the peak memory of a run of a network on images of CIFAR's number and shape, in MB."""
    return _child("memory", name)


def measure_run_shares(name: str, device: "torch.device", threads: int) -> dict[str, Any]:
    """Return where the seconds of a short run go, and those of a run of the paper's shape; see `speed.run_shares`."""
    return _child("run_shares", name, str(device), str(threads), str(time.time()))


def measure_workflow(n_runs: int) -> dict[str, float]:
    """Return the seconds that Snakemake adds to each job: the time of tiny runs with it minus the time without it."""
    study = {
        "study": "bench",
        "defaults": {"dataset": "digits", "model": "resnet20", "n_megabatches": 1, "epochs": 1, "train_limit": 64},
        "grid": [{"method": "dense", "seed": list(range(n_runs + 1))}],
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("Snakefile", "workflow", "profiles", "anytime_pruning"):
            (folder / part).symlink_to(ROOT / part)
        (folder / "bench.yaml").write_text(
            yaml.safe_dump(study | {"grid": [{"method": "dense", "seed": [0]}]}), encoding="utf-8"
        )
        call = ("snakemake", "experiments", "--cores", "1", "--configfile", "bench.yaml")
        _timed(call, folder)  # this call fills the cache and compiles the workflow's files
        nothing_to_do = _timed(call, folder)
        (folder / "bench.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
        with_snakemake = _timed(call, folder) - nothing_to_do
        settings = study["defaults"] | {"method": "dense", "execution": {"data_dir": "data"}}
        started = time.perf_counter()
        for seed in range(n_runs):
            content = json.dumps(settings | {"seed": 100 + seed})
            _timed((sys.executable, "-m", "anytime_pruning", "train", "--settings", content), folder)
        alone = time.perf_counter() - started
    return {
        "plan_s": nothing_to_do,
        "job_s": alone / n_runs,
        "overhead_per_job_s": (with_snakemake - alone) / n_runs,
    }


def _timed(arguments: tuple[str, ...], folder: Path) -> float:
    started = time.perf_counter()
    subprocess.run(arguments, cwd=folder, env=ENVIRONMENT, check=True, capture_output=True)
    return time.perf_counter() - started


def _child(*arguments: str) -> dict[str, Any]:
    return _finish(_start(*arguments))


def _start(*arguments: str, environment: Mapping[str, str] = ENVIRONMENT) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.children", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, cwd=ROOT, stdin=pipe, stdout=pipe, encoding="utf-8")


def _finish(child: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = child.communicate()
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, child.args)
    return json.loads(out.splitlines()[-1])
