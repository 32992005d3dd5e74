"""Measure in separate processes how much time and memory a job needs beside training, and how jobs share a machine."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    import torch

ROOT = Path(__file__).parent.parent
ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(ROOT),
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
}


def measure_start_up(repeats: int) -> dict[str, float]:
    """Return the seconds from process start to the first training step on digits.

    A first process fills the cache and is not counted.
    """
    seconds = [_child("first_step", str(time.time()))["seconds"] for _ in range(repeats + 1)][1:]
    return {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds)}


def measure_sharing(name: str, device: "torch.device", seconds: float, rounds: int) -> dict[str, dict[str, float]]:
    """Return the samples per second of all jobs together, for different ways to share the machine.

    Args:
        name: name of the network.
        device: the device to share.
        seconds: duration of each turn in seconds.
        rounds: number of turns for each way.
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
            arguments = ("throughput", kind, name, str(threads), str(seconds), str(device))
            children = [_start(*arguments) for _ in range(n_jobs)]
            totals[way].append(sum(_finish(child)["samples_per_s"] for child in children))
    return {
        way: {"samples_per_s": statistics.median(values), "min": min(values), "max": max(values)}
        for way, values in totals.items()
    }


def measure_memory(names: list[str]) -> dict[str, dict[str, int]]:
    """Return the peak memory of a run of each network on images of CIFAR's number and shape, in MB."""
    return {name: _child("memory", name) for name in names}


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


def _start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.children", *arguments]
    return subprocess.Popen(command, env=ENVIRONMENT, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8")


def _finish(child: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = child.communicate()
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, child.args)
    return json.loads(out.splitlines()[-1])
