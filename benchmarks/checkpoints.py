"""Measure how much time checkpoints take in a run of ResNet-18 on a CPU.

Call `python -m benchmarks.checkpoints`, which takes about 13 minutes. The run trains on images of noise, of CIFAR's
shape. Every checkpoint is timed, including the wait for the disk. An epoch has 5,063 images, which is the shortest
epoch of a run on CIFAR with eight megabatches; the longest has 40,500 images. The numbers are written to
benchmarks/results/<machine>-checkpoints.json and .md.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from anytime_pruning import run_stream
from anytime_pruning.machine import provenance
from anytime_pruning.runs.checkpointing.checkpointer import Checkpointer
from benchmarks.report import RESULTS, describe_machine, keep_incomplete, publish
from benchmarks.speed.run_shares import write_noise

N_TRAIN, N_TEST = 5625, 100  # a tenth of the training images is held out


def main(arguments: list[str] | None = None) -> int:
    """Measure, write and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checkpoints", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="runs (default: 3)")
    parser.add_argument("--folder", type=Path, help="folder for the runs (default: a temporary folder)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    options = parser.parse_args(arguments)
    runs: list[dict[str, Any]] = []
    result = {"machine": describe_machine(torch.device("cpu"), 1), "code": provenance.describe_commit(), "runs": runs}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        write_noise(Path(folder) / "noise", N_TRAIN, N_TEST)
        for seed in range(options.repeats):
            runs.append(measure(Path(folder), seed))
            keep_incomplete(result, options.out, "checkpoints")
    publish(result, to_markdown(result), options.out, "checkpoints")
    return 0


def measure(folder: Path, seed: int) -> dict[str, Any]:
    """Measure the time of a run, and the time and size of each of its checkpoints.

    Args:
        folder: folder of the images of noise, in which the run is also written.
        seed: the seed of the run.
    """
    settings = {
        "dataset": {"name": "noise", "source": "image_folder", "path": str(folder / "noise"), "image_size": 32},
        "model": "resnet18",
        "n_megabatches": 1,
        "epochs": 1,
        "seed": seed,
        "precision": "float32",
        # With this share no checkpoint is postponed, however long it takes.
        "execution": {"device": "cpu", "data_dir": str(folder / "data"), "checkpoint_share": 1},
    }
    seconds, sizes = [], []
    write = Checkpointer.write

    def timed(checkpointer: Checkpointer) -> None:
        started = time.perf_counter()
        write(checkpointer)
        seconds.append(time.perf_counter() - started)
        newest = max((folder / str(seed) / "resume").glob("*.safetensors"))
        sizes.append(newest.stat().st_size)

    with mock.patch.object(Checkpointer, "write", timed):
        cost = run_stream(settings, folder / str(seed))["cost"]
    return {
        "stream_s": cost["stream_s"],
        "train_s": cost["train_s"],
        "checkpoints_s": [round(s, 3) for s in seconds],
        "megabytes": [round(size / 2**20) for size in sizes],
        "share_pct": round(100 * sum(seconds) / cost["train_s"], 2),
    }


def to_markdown(result: dict[str, Any]) -> str:
    """Return a table with one row for each run."""
    runs = result["runs"]
    rows = [
        f"| {run['train_s']:.0f} | {len(run['checkpoints_s'])} | {max(run['megabytes'])} | "
        f"{statistics.mean(run['checkpoints_s']):.2f} | {max(run['checkpoints_s']):.2f} | {run['share_pct']:.2f} |"
        for run in runs
    ]
    lines = [
        f"{result['machine']['name']}; ResNet-18, 32 x 32 images, an epoch of 5,063 images, 1 thread, float32.",
        "",
        "| training (s) | checkpoints | largest (MB) | seconds each | longest (s) | of the training time (%) |",
        "| --- | --- | --- | --- | --- | --- |",
        *rows,
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
