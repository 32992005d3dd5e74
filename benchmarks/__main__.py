"""Measure this machine and write benchmarks/results/<machine>.json, .md and -growth.png; `make bench` runs this."""

import argparse
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from anytime_pruning.foundation.errors import ArtifactError
from anytime_pruning.machine import provenance
from anytime_pruning.machine.devices import choose_device, prepare_process
from benchmarks import jobs
from benchmarks.growth import draw_growth, measure_growth
from benchmarks.report import RESULTS, describe_machine, keep_incomplete, publish, to_markdown
from benchmarks.speed.training_speed import measure_training

NETWORKS = ("resnet20", "resnet18", "vgg16_bn", "resnet50")
# Networks of which a short run is taken apart.
SHARED_OUT = ("resnet20", "resnet18")


def main(arguments: list[str] | None = None) -> int:
    """Measure this machine, write and print the tables, and return the exit status: 0, or 2 for a user's mistake."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer networks and rounds")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    options = parser.parse_args(arguments)
    part = "quick" if options.quick else ""
    kept: list[Path] = []
    try:
        device = choose_device(options.device)
        result = measure(device, options.quick, lambda found: kept.append(keep_incomplete(found, options.out, part)))
    except ArtifactError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print(f"interrupted; {kept[-1]} holds what was measured" if kept else "interrupted", file=sys.stderr)
        return 130
    stem = publish(result, to_markdown(result), options.out, part)
    draw_growth(result["growth"], Path(f"{stem}-growth.png"))
    print(f"{result['seconds']:.0f} s; written to {stem}.json, .md and -growth.png")
    return 0


def measure(
    device: torch.device, quick: bool, keep: Callable[[dict[str, Any]], None] = lambda _: None
) -> dict[str, Any]:
    """Measure all parts, and name each part on stderr before it is measured.

    Args:
        device: the device to measure.
        quick: whether to measure fewer networks in fewer rounds.
        keep: a function that is called after each measurement with everything that was measured so far.

    Returns:
        The result, ready for JSON.
    """
    started = time.perf_counter()
    threads = 1 if device.type == "cuda" else os.cpu_count() or 1
    prepare_process(device, threads)
    rounds, turn_s = (3, 0.5) if quick else (5, 0.7)
    networks = NETWORKS[:2] if quick else NETWORKS
    result: dict[str, Any] = {
        "machine": describe_machine(device, threads),
        "code": provenance.describe_commit(),
        "rounds": rounds,
        "networks": {},
        "sharing": {},
        "memory": {},
    }

    def add(place: dict[str, Any], key: str, found: Any) -> None:
        place[key] = found
        keep(result)

    for name in networks:
        _say(f"training {name}")
        note = partial(add, result["networks"], name)
        note(measure_training(name, device, rounds, turn_s, note))
    _say("jobs that share the machine")
    shared, seconds, turns = (networks[:1], 2, 1) if quick else (networks[:3], 5, 2)
    for name in shared:
        note = partial(add, result["sharing"], name)
        note(jobs.measure_sharing(name, device, seconds, turns, note))
    _say("memory")
    for name in networks:
        add(result["memory"], name, jobs.measure_memory(name))
    _say("the start of a job, and the workflow around it")
    add(result, "start_up", jobs.measure_start_up(rounds))
    add(result, "workflow", jobs.measure_workflow(3 if quick else 8))
    _say("where the seconds of a run go")
    for name in SHARED_OUT[:1] if quick else SHARED_OUT:
        add(result.setdefault("run_shares", {}), name, jobs.measure_run_shares(name, device, threads))
    _say("growth with T and N")
    torch.set_num_threads(1)
    add(result, "growth", measure_growth(1 if quick else 3))
    return result | {"seconds": round(time.perf_counter() - started, 1)}


def _say(what: str) -> None:
    print(f"measuring {what} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
