"""Measure how much the results of a run differ if its computation differs only in rounding.

Call `python -m benchmarks.spread`, which takes about 20 minutes. One run of the demonstration is computed with several
seeds, and then again in ways that change nothing but rounding. The numbers are written to
benchmarks/results/<machine>-spread.json and .md.
"""

import argparse
import csv
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from scipy.stats import t as student_t

from anytime_pruning.machine import provenance
from anytime_pruning.results import layout
from benchmarks.jobs import ENVIRONMENT
from benchmarks.report import RESULTS, describe_machine, keep_incomplete, publish

RUN = {"dataset": "digits", "model": "resnet20", "n_megabatches": 4, "epochs": 3, "lr": 0.02, "lr_milestones": [2]}
REFERENCE = "float32, 1 thread"
# Each way to compute has a name, changed settings of the run, changed execution settings, and environment variables.
WAYS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, str]]] = {
    REFERENCE: ({}, {}, {}),
    "the same again": ({}, {}, {}),
    "`deterministic: true`": ({}, {"deterministic": True}, {}),
    "2 threads": ({}, {"threads": 2}, {}),
    # This way gives the numbers of a processor without AVX512.
    "with AVX2 instead of AVX512": ({}, {}, {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}),
    "`compile: true`": ({}, {"compile": True}, {}),
    "bfloat16": ({"precision": "bfloat16"}, {}, {}),
}
TABLES = (layout.MEGABATCHES, layout.EPOCHS, layout.LAYERS)


def main(arguments: list[str] | None = None) -> int:
    """Run all ways with all seeds, and write and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spread", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="runs of each way (default: 10)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    options = parser.parse_args(arguments)
    runs: dict[str, list[dict[str, Any]]] = {}
    result = {
        "machine": describe_machine(torch.device("cpu"), 1),
        "code": provenance.describe_commit(),
        "settings": RUN,
        "runs": runs,
    }
    with tempfile.TemporaryDirectory() as folder:
        for way in WAYS:
            print(f"running {way} ...", file=sys.stderr, flush=True)
            runs[way] = []
            for seed in range(options.seeds):
                runs[way].append(run(way, seed, Path(folder)))
                keep_incomplete(result, options.out, "spread")
    publish(result, to_markdown(result), options.out, "spread")
    return 0


def run(way: str, seed: int, folder: Path) -> dict[str, Any]:
    """Compute one run in a separate process.

    Args:
        way: a key of `WAYS`.
        seed: the seed of the run.
        folder: folder in which the run and the data are written.

    Returns:
        The final numbers of the run, and as `content` a digest of everything that the run wrote, except times and
        settings.
    """
    settings, execution, environment = WAYS[way]
    content = {"precision": "float32", **RUN, **settings, "seed": seed}
    content["execution"] = {"device": "cpu", "threads": 1, "data_dir": str(folder / "data"), **execution}
    out = folder / way / str(seed)
    subprocess.run(
        [sys.executable, "-m", "anytime_pruning", "train", "--settings", json.dumps(content), "--out", str(out)],
        env=ENVIRONMENT | environment,
        check=True,
        capture_output=True,
    )
    final = json.loads((out / layout.METRICS).read_text(encoding="utf-8"))["final"]
    return {
        "test_acc_pct": final["test_acc_pct"],
        "cumulative_error_count": final["cumulative_error_count"],
        "content": digest_of_content(out),
    }


def digest_of_content(folder: Path) -> str:
    """Return the SHA-256 of the weights and tables of a run, without the columns of seconds."""
    digest = hashlib.sha256((folder / layout.WEIGHTS).read_bytes())
    for name in TABLES:
        with open(folder / name, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                digest.update(repr([value for key, value in row.items() if "seconds" not in key]).encode())
    return digest.hexdigest()


def to_markdown(result: dict[str, Any]) -> str:
    """Return a table with one row for each way, compared seed by seed with the reference."""
    runs, machine = result["runs"], result["machine"]
    reference = runs[REFERENCE]
    lines = [
        f"{machine['name']}, torch {machine['torch']}; handwritten digits, ResNet-20, T = 4, APP. Mean ± standard "
        f"deviation of {len(reference)} seeds.",
        f"Differences are from {REFERENCE}, seed by seed: mean ± half the width of its 95 % interval (Student's t); "
        "the largest.",
        "",
        "| Computed | same to the bit | test accuracy (%) | difference (points) | CER (count) | difference (count) |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for way, others in runs.items():
        same = sum(a["content"] == b["content"] for a, b in zip(reference, others))
        accuracy, errors = (
            _describe([r[key] for r in others], [r[key] for r in reference], digits)
            for key, digits in (("test_acc_pct", 2), ("cumulative_error_count", 0))
        )
        lines.append(f"| {way} | {same} of {len(others)} | {accuracy} | {errors} |")
    return "\n".join([*lines, ""])


def _describe(values: list[float], references: list[float], digits: int) -> str:
    """Return two cells: the values, and their differences from the references."""
    cell = f"{statistics.mean(values):,.{digits}f} ± {statistics.stdev(values):.{digits}f}"
    differences = [value - reference for value, reference in zip(values, references)]
    if not any(differences):
        return f"{cell} | none"
    half_width = student_t.ppf(0.975, len(differences) - 1) * statistics.stdev(differences) / len(differences) ** 0.5
    mean, largest = statistics.mean(differences), max(map(abs, differences))
    return f"{cell} | {mean:+.{digits}f} ± {half_width:.{digits}f}; {largest:.{digits}f}"


if __name__ == "__main__":
    sys.exit(main())
