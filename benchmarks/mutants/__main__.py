"""Change the code in one place at a time, and see whether the tests notice; `make mutants` runs this.

A table is written to benchmarks/results/mutants.md. The exit status is 1 if a change survives that
benchmarks/mutants/survivors/ does not list with its reason, or if a part of the method is below its target.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

from anytime_pruning.foundation.files import write_text
from benchmarks.mutants.outcomes import Outcome, below_target, read_reasons, to_markdown, without_reason
from benchmarks.mutants.rooms import ROOMS
from benchmarks.report import RESULTS, describe_machine

ROOT = Path(__file__).parents[2]
# What the tests read, but not the results, which are large.
COPIED = (
    "anytime_pruning",
    "benchmarks",
    "config",
    "envs",
    "profiles",
    "tests",
    "workflow",
    "pyproject.toml",
    "Snakefile",
)


def main(arguments: list[str] | None = None) -> int:
    """Try the mutants of some rooms, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__)
    parser.add_argument("--rooms", nargs="+", choices=list(ROOMS), default=list(ROOMS), help="(default: all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutants at once (default: all cores)")
    parser.add_argument(
        "--out", type=Path, help=f"file for the table (default: {RESULTS.name}/mutants.md for all rooms)"
    )
    options = parser.parse_args(arguments)
    started = time.monotonic()
    outcomes = try_rooms(options.rooms, options.jobs)
    machine = describe_machine(torch.device("cpu"), 1)["name"]
    about = f"{datetime.now(UTC):%Y-%m-%d}, mutmut {version('mutmut')}, {machine}"
    about += f", {(time.monotonic() - started) / 60:.0f} minutes."
    print(to_markdown(outcomes, about))
    if options.out or options.rooms == list(ROOMS):
        write_text(options.out or RESULTS / "mutants.md", to_markdown(outcomes, about))
    unexplained, low = without_reason(outcomes, read_reasons()), below_target(outcomes)
    for one in unexplained:
        print(f"error: {one.place}: {one.end}: {one.change}", file=sys.stderr)
    for line in low:
        print(f"error: {line}", file=sys.stderr)
    return 1 if unexplained or low else 0


def try_rooms(rooms: Sequence[str], jobs: int) -> list[Outcome]:
    """Try the mutants of rooms in a copy of the checkout, in a process that imports the copy."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        for name in COPIED:
            source, target = ROOT / name, Path(folder) / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        command = [sys.executable, "-m", "benchmarks.mutants.session", str(jobs), *rooms]
        # Other plugins of pytest would only cost time, and threads of torch do not live on in a child.
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        subprocess.run(command, cwd=folder, env=environment, check=True)
        found = json.loads((Path(folder) / "outcomes.json").read_text(encoding="utf-8"))
    return [Outcome(**each) for each in found]


if __name__ == "__main__":
    sys.exit(main())
