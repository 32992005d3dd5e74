"""Measure how much time and memory the commands of the workflow need for thousands of runs.

Call `python -m benchmarks.load`, which takes about 3 minutes. `fabricate.py` makes the results. The seconds of each
command and the peak memory of its largest process are written to benchmarks/results/<machine>-load.json and .md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from benchmarks.fabricate import make_study
from benchmarks.jobs import ENVIRONMENT, ROOT
from benchmarks.report import RESULTS, keep_incomplete, publish

PACKAGE = (sys.executable, "-m", "anytime_pruning")
PLAN = (
    "import sys; from pathlib import Path; from anytime_pruning.foundation.safe_text import read_yaml; "
    "from anytime_pruning.settings.study import plan_study; plan_study(read_yaml(Path(sys.argv[1])))"
)
DESCRIBE = (
    "import json, torch; from anytime_pruning.machine import provenance; "
    "from benchmarks.report import describe_machine; "
    "print(json.dumps({'machine': describe_machine(torch.device('cpu'), 1), 'code': provenance.describe_commit()}))"
)


def main(arguments: list[str] | None = None) -> int:
    """Measure all commands, then write and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="runs of the grid, a multiple of 10 (default: 2000)")
    parser.add_argument("--folder", type=int, default=10_000, help="runs of a large results folder (default: 10000)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    options = parser.parse_args(arguments)
    result = describe() | {"runs": options.runs, "folder": options.folder, "rows": []}

    def keep(row: dict) -> None:
        result["rows"].append(row)
        keep_incomplete(result, options.out, "load")

    with tempfile.TemporaryDirectory() as folder:
        measure(options.runs, options.folder, make_folder(Path(folder), options.runs, options.folder), keep)
    publish(result, to_markdown(result), options.out, "load")
    return 0


def describe() -> dict:
    """Return the machine and the code, from a child: the peak memory of later ones would include torch's in here."""
    answer = subprocess.run((sys.executable, "-c", DESCRIBE), env=ENVIRONMENT, stdout=subprocess.PIPE, check=True)
    found: dict = json.loads(answer.stdout)
    return found


def make_folder(folder: Path, n_runs: int, n_stored: int) -> Path:
    """Make a checkout of links with two studies that share one results folder, as if one study's grid had shrunk."""
    for part in ("Snakefile", "workflow", "profiles", "anytime_pruning", "config"):
        (folder / part).symlink_to(ROOT / part)
    for name, count in (("grid", n_runs), ("large", n_stored)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(make_study(count // 10)), encoding="utf-8")
    return folder


def measure(n_runs: int, n_stored: int, folder: Path, keep: Callable[[dict], None]) -> None:
    """Run each command once, in the order in which a user would meet them, and keep each measurement at once."""

    def timed(what: str, *command: str) -> None:
        print(f"{what} ...", file=sys.stderr, flush=True)
        keep({"what": what, **run(command, folder)})

    def dry_run(name: str) -> tuple[str, ...]:
        return ("snakemake", "--dry-run", "--cores", "1", "--configfile", f"{name}.yaml")

    def fabricate(name: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "benchmarks.fabricate", f"{name}.yaml")

    runs, tables, runs_list = "results/load/runs", "results/load/tables", "results/load/runs.txt"
    grid, large = f"grid of {n_runs:,} runs", f"folder of {n_stored:,} runs"
    timed(f"{grid}: planned", sys.executable, "-c", PLAN, "grid.yaml")
    timed(f"{grid}, none there: dry run", *dry_run("grid"))
    run(fabricate("grid"), folder)
    timed(f"{grid}, all there: dry run", *dry_run("grid"))
    run(("snakemake", "write_plan", "--cores", "1", "--configfile", "grid.yaml"), folder)
    timed(f"{grid}: collect", *PACKAGE, "collect", runs_list, runs, tables)
    timed(f"{grid}: verify, without testing networks", *PACKAGE, "verify", "results/load", "--no-evaluate")
    run(fabricate("large"), folder)
    timed(f"{large}: list those in no grid", *PACKAGE, "stale", "grid.yaml")
    timed(f"{large}, a grid of all: dry run", *dry_run("large"))


def run(command: tuple[str, ...], folder: Path) -> dict[str, float]:
    """Return the seconds of a command and the peak memory of its largest process.

    Raises:
        subprocess.CalledProcessError: the command failed; the end of its output was printed.
    """
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=said, stderr=said)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            print(said.read().decode()[-2000:], file=sys.stderr)
            raise subprocess.CalledProcessError(child.returncode, command)
    return {"seconds": round(time.perf_counter() - started, 2), "peak_memory_mb": round(usage.ru_maxrss / 1024)}


def to_markdown(result: dict) -> str:
    """Write the result as a table with one row for each command."""
    machine = result["machine"]
    lines = [
        f"{machine['name']}; runs of ResNet-20 with T = 2 and 3 whose results are fabricated, so files are in memory.",
        "",
        "| | seconds | peak memory (MB) |",
        "| --- | --- | --- |",
        *(f"| {row['what']} | {row['seconds']:.1f} | {row['peak_memory_mb']} |" for row in result["rows"]),
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
