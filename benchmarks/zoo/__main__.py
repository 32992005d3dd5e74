"""Try other people's networks and write benchmarks/results/zoo.json and zoo.md; `make zoo` runs this.

Each step of a network works, is refused in a line, or is warned about. Everything else is a fault, which is printed on
stderr, and the exit status is 1.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from benchmarks.report import RESULTS, describe_machine
from benchmarks.zoo.networks import Network
from benchmarks.zoo.steps import ABSENT, FAULT, STEPS, read_networks
from benchmarks.zoo.table import publish

FILE = Path(__file__).parent / "networks.py"
PACKAGES = ("timm", "torch", "torchvision", "onnx", "onnxruntime")


def main(arguments: list[str] | None = None) -> int:
    """Try the networks, and return the exit status: 0, 1 after a fault, or 2 for a user's mistake."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zoo", description=__doc__)
    parser.add_argument("--networks", type=Path, default=FILE, help="a Python file with NETWORKS like networks.py")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="try these networks, and keep the others' outcomes")
    parser.add_argument("--resume", action="store_true", help="keep the outcomes of an interrupted call")
    parser.add_argument("--limit", type=float, default=300, help="seconds for each network (default: 300)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="networks at once (default: all cores)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    options = parser.parse_args(arguments)
    networks = read_networks(options.networks)
    chosen = options.only or list(networks)
    if unknown := [name for name in chosen if name not in networks]:
        print(f"error: --only: {unknown[0]!r} is not allowed; allowed: {', '.join(networks)}", file=sys.stderr)
        return 2
    if any(networks[name].library == "timm" for name in chosen) and _version("timm") is None:
        print("error: timm is not installed; pip install -r envs/zoo.txt", file=sys.stderr)
        return 2
    done = _read(options.out / "zoo.json") if options.only or options.resume else {}
    if options.resume:
        chosen = [name for name in chosen if name not in done]
    faults = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        waiting = {
            pool.submit(_try_in_a_process, options.networks, name, networks[name], options.limit): name
            for name in chosen
        }
        for finished in as_completed(waiting):
            name = waiting[finished]
            done[name] = finished.result()
            faults += _report(name, done[name])
            ordered = {known: done[known] for known in networks if known in done}
            publish({"about": _describe(), "networks": ordered}, options.out)
    print(f"{len(chosen)} networks, {faults} faults; written to {options.out / 'zoo.md'}")
    return 1 if faults else 0


def _try_in_a_process(file: Path, name: str, network: Network, limit: float) -> dict[str, Any]:
    """Try a network in a process of its own, which may crash, hang or take all memory."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.zoo.steps", str(file.resolve()), name]
    try:
        process = subprocess.run(
            command, capture_output=True, timeout=limit, cwd=FILE.parents[2], env=os.environ | {"OMP_NUM_THREADS": "1"}
        )
        printed, end = process.stdout, f"the process ended with status {process.returncode}"
        end += f": {process.stderr.decode(errors='replace').strip().splitlines()[-1:]}" if process.returncode else ""
    except subprocess.TimeoutExpired as error:
        printed, end = error.stdout or b"", f"no end within {limit:.0f} seconds"
    parts = [json.loads(line) for line in printed.decode(errors="replace").splitlines() if line.endswith("}")]
    outcomes = [part for part in parts if "step" in part]
    if len(outcomes) < len(STEPS):
        outcomes.append({"step": STEPS[len(outcomes)], "verdict": FAULT, "line": end})
        outcomes += [{"step": step, "verdict": ABSENT, "line": ""} for step in STEPS[len(outcomes) :]]
    parameters = next((part["parameters"] for part in parts if "parameters" in part), 0)
    return {
        "library": network.library,
        "pixels": network.pixels,
        "parameters": parameters,
        "outcomes": outcomes,
        "seconds": round(time.perf_counter() - started, 1),
    }


def _report(name: str, tried: dict[str, Any]) -> int:
    """Print a line for a network and one for each of its faults, and return the number of faults."""
    outcomes = tried["outcomes"]
    verdicts = ", ".join(f"{outcome['step']} {outcome['verdict']}" for outcome in outcomes)
    print(f"{name}: {verdicts}, {tried['seconds']:.0f} s", flush=True)
    faults = [outcome for outcome in outcomes if outcome["verdict"] == FAULT]
    for fault in faults:
        print(f"FAULT: {name}: {fault['step']}: {fault['line']}", file=sys.stderr, flush=True)
    return len(faults)


def _describe() -> dict[str, Any]:
    versions = {name: found for name in PACKAGES if (found := _version(name))}
    machine = describe_machine(torch.device("cpu"), torch.get_num_threads())["name"]
    return {"date": time.strftime("%Y-%m-%d"), "machine": machine, "versions": versions}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _read(path: Path) -> dict[str, Any]:
    """Return the outcomes of an earlier call by name of the network; empty if there are none."""
    return dict(json.loads(path.read_text(encoding="utf-8"))["networks"]) if path.exists() else {}


if __name__ == "__main__":
    sys.exit(main())
