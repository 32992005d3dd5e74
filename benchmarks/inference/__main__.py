"""Measure the latency of trained networks and write benchmarks/results/<machine>-inference.json, .md and .png.

`make bench-inference` runs this. On a CPU each network is measured in torch and in onnxruntime, and on a GPU in torch
alone, where networks of pattern 2:4 are also computed by kernels for structured sparsity. Networks of whole filters are
measured without their empty channels, too.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch

from anytime_pruning.foundation.errors import ArtifactError, SettingError
from anytime_pruning.machine import provenance
from anytime_pruning.machine.devices import choose_device, prepare_process
from benchmarks.inference.figure import draw_latencies
from benchmarks.inference.latency import measure_latencies
from benchmarks.inference.subjects import choose_runs, make_subjects
from benchmarks.inference.table import to_markdown
from benchmarks.report import RESULTS, describe_machine, publish

BATCHES = (1, 64)


def main(arguments: list[str] | None = None) -> int:
    """Measure the networks, write and print the table, and return the exit status: 0, or 2 for a user's mistake."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference", description=__doc__)
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="folders of runs (default: from --study)")
    parser.add_argument("--study", type=Path, default=Path("results/starts"), help="study whose first seed is measured")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--rounds", type=int, default=10, help="turns of each network (default: 10)")
    parser.add_argument("--turn", type=float, default=0.5, metavar="S", help="seconds of a turn (default: 0.5)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    options = parser.parse_args(arguments)
    try:
        result = measure(options.runs or choose_runs(options.study), options)
    except ArtifactError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    stem = publish(result, to_markdown(result), options.out, "inference")
    draw_latencies(result, Path(f"{stem}.png"))
    return 0


def measure(runs: list[Path], options: argparse.Namespace) -> dict[str, Any]:
    """Measure the networks of some runs in turns.

    Args:
        runs: folders of runs with weights.
        options: the options of the command.

    Returns:
        The result, ready for JSON.

    Raises:
        SettingError: there is no run, or an option is out of range.
    """
    for key, value in (("rounds", options.rounds), ("turn", options.turn)):
        if not value > 0:
            raise SettingError(f"--{key}: {value} is not allowed; allowed: numbers above 0")
    started = time.perf_counter()
    device = choose_device(options.device)
    threads = 1 if device.type == "cuda" else os.cpu_count() or 1
    prepare_process(device, threads)
    rows, calls = [], {}
    for run in runs:
        for subject in make_subjects(run, device, threads):
            calls |= {(len(rows), engine): call for engine, call in subject.engines.items()}
            rows.append(subject.facts)
            print(f"measuring {subject.facts['network']} {subject.facts['form']} ...", file=sys.stderr, flush=True)
    for batch in BATCHES:
        shape = rows[0]["image_shape"]
        images = torch.rand(batch, *shape, generator=torch.Generator().manual_seed(0))
        for (row, engine), found in measure_latencies(calls, images, options.rounds, options.turn).items():
            rows[row].setdefault("latency_ms", {}).setdefault(engine, {})[str(batch)] = found
    return {
        "machine": describe_machine(device, threads),
        "code": provenance.describe_commit(),
        "rounds": options.rounds,
        "networks": rows,
        "seconds": round(time.perf_counter() - started, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
