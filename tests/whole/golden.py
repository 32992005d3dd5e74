"""Compute the golden run, a tiny run whose numbers are in git, one file for each kind of processor.

    python -m tests.whole.golden                 # writes the file of this machine's kind
    python -m tests.whole.golden --narrower      # and those of the kinds that lack instructions of this machine

`--narrower` switches instructions off, so its files are not from machines that lack them; `made` in a file says so.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from anytime_pruning import RESULTS_VERSION, run_stream
from anytime_pruning.machine import provenance
from anytime_pruning.settings.run import RunSettings, parse_settings

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent / "golden_numbers"
SETTINGS = {
    "dataset": "digits",
    "model": "resnet20",
    "n_megabatches": 3,
    "train_limit": 120,
    "epochs": 2,
    "lr_milestones": [1],
    "batch_size": 16,
    "lr": 0.05,
    "precision": "float32",
    "execution": {"device": "cpu", "threads": 1},
}
PRECISIONS = ("float32", "bfloat16")
TABLES = ("megabatches", "epochs", "layers")
# torch computes by itself and by oneDNN, and each has its own switch. MKL has none on processors of AMD.
SWITCHES = {
    "AVX512": {"ATEN_CPU_CAPABILITY": "avx512", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
    "AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
}
# No rounding can change these columns: they hold the stream, the schedule, counts and whatever follows from density.
EXACT_EVERYWHERE = {
    "megabatches": (
        "t", "density_asked", "density_measured", "kept_count", "prunable_count", "train_count", "valid_count",
        "test_count", "samples",
    ),
    "epochs": ("t", "epoch", "lr", "samples"),
    "layers": ("t", "layer", "total"),
}  # fmt: skip
# How far the loss of the first epoch may be from that of another kind of processor, as a fraction. Between the stored
# kinds it differs by less than 0.00001 in float32, and by up to 0.016 in bfloat16.
LOSS_TOLERANCE = {"float32": 0.001, "bfloat16": 0.06}
# How many weights more or less a layer may keep after the first pruning than on another kind: a fraction, or a few.
KEPT_TOLERANCE, KEPT_COUNT = 0.01, 3


def file_of(kind: str) -> Path:
    """Return the path of the file of a kind: amd-avx512-with-bfloat16.json."""
    return FOLDER / f"{kind.lower().replace(',', '').replace(' ', '-')}.json"


def torch_version() -> str:
    """Return the version of torch without its build."""
    return torch.__version__.split("+")[0]


def identity() -> dict[str, Any]:
    """Return what no machine changes: the version of results, the digest of the run and the defaults of settings."""
    defaults = {key: field.default for key, field in RunSettings.model_fields.items() if not field.is_required()}
    return {
        "results_version": RESULTS_VERSION,
        "digest": parse_settings(SETTINGS).digest(),
        "defaults": json.loads(json.dumps({k: v for k, v in defaults.items() if k != "execution"})),
    }


def compute(data_dir: Path, out_dir: Path) -> dict[str, Any]:
    """Return all numbers of the run except times, in both precisions, with the kind of processor."""
    numbers: dict[str, Any] = {"kind": provenance.kind_of_bits(), "torch": torch_version()}
    for precision in PRECISIONS:
        execution = SETTINGS["execution"] | {"data_dir": str(data_dir)}
        run_stream(SETTINGS | {"precision": precision, "execution": execution}, out_dir / precision)
        numbers[precision] = {}
        for name in TABLES:
            with open(out_dir / precision / f"{name}.csv", encoding="utf-8") as file:
                rows = [{k: v for k, v in row.items() if "seconds" not in k} for row in csv.DictReader(file)]
            numbers[precision][name] = rows
    return numbers


def compute_narrower(instructions: str, data_dir: Path, out_dir: Path) -> dict[str, Any]:
    """Return the numbers that this machine computes in another process without its newer instructions.

    Args:
        instructions: a key of `SWITCHES`.
        data_dir: folder for the images.
        out_dir: folder in which the runs and the numbers are written.
    """
    # With `check`, oneDNN says which instructions it uses, and nothing more.
    environment = os.environ | SWITCHES[instructions] | {"ONEDNN_VERBOSE": "check"}
    path = out_dir / "numbers.json"
    command = [sys.executable, "-m", "tests.whole.golden", "--compute", str(data_dir), str(path)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, encoding="utf-8", errors="replace", check=True
    )
    numbers: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    (isa,) = {line.partition("isa:")[2] for line in done.stdout.splitlines() if "info,cpu,isa:" in line}
    return numbers | {"onednn": isa}


def differences(was: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """Yield every number that differs from the stored ones, a line each.

    Numbers of one kind of processor and one version of torch are compared to the bit. Numbers of different ones are
    compared to the bit where no rounding can change them. At the start of a run, rounding errors have not grown, so the
    loss of the first epoch and the sizes of the first masks are compared within a tolerance.
    """
    is_same = (was["kind"], was["torch"]) == (now["kind"], now["torch"])
    for precision in PRECISIONS:
        old, new = was[precision], now[precision]
        for table, exact in EXACT_EVERYWHERE.items():
            if len(old[table]) != len(new[table]) or old[table][0].keys() != new[table][0].keys():
                yield f"{precision}: {table} has other rows or columns"
                continue
            for old_row, new_row in zip(old[table], new[table], strict=True):
                for column in old_row if is_same else exact:
                    if old_row[column] != new_row[column]:
                        place = ", ".join(f"{key} {new_row[key]}" for key in ("t", "epoch", "layer") if key in new_row)
                        yield (
                            f"{precision}: {table}.{column} was {old_row[column]} and is {new_row[column]} at {place}"
                        )
        if not is_same:
            yield from _differences_at_the_start(precision, old, new)


def _differences_at_the_start(precision: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    was, now = (float(tables["epochs"][0]["train_loss"]) for tables in (old, new))
    if not abs(now - was) <= LOSS_TOLERANCE[precision] * abs(was):
        yield f"{precision}: the loss of the first epoch was {was} and is {now}"
    for old_row, new_row in zip(old["layers"], new["layers"], strict=False):
        kept, keeps = int(old_row["kept"]), int(new_row["kept"])
        allowed = max(KEPT_COUNT, KEPT_TOLERANCE * kept)
        if old_row["t"] == "1" and abs(keeps - kept) > allowed:
            yield f"{precision}: {new_row['layer']} kept {kept} weights and keeps {keeps} after the first pruning"


def write(numbers: dict[str, Any], switched_off: dict[str, str]) -> Path:
    """Write the file of a kind, a row of a table on a line."""
    head = {
        "kind": numbers["kind"],
        "torch": numbers["torch"],
        "results_version": RESULTS_VERSION,
        "made": {"on": provenance.processor_kind(), "with instructions switched off by": switched_off},
    }
    parts = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    for precision in PRECISIONS:
        tables = []
        for name in TABLES:
            rows = ",\n".join(json.dumps(row) for row in numbers[precision][name])
            tables.append(f'"{name}": [\n{rows}\n]')
        parts.append(f"{json.dumps(precision)}: {{\n" + ",\n".join(tables) + "\n}")
    path = file_of(numbers["kind"])
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")
    return path


def main() -> None:
    """Write the files, or compute the numbers for another process."""
    parser = argparse.ArgumentParser(prog="python -m tests.whole.golden", description=__doc__)
    parser.add_argument("--narrower", action="store_true", help="write the files of narrower kinds, too")
    parser.add_argument("--compute", nargs=2, type=Path, metavar=("DATA", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.compute:
        data_dir, path = options.compute
        path.write_text(json.dumps(compute(data_dir, path.parent)), encoding="utf-8")
        return
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        paths = [write(compute(data_dir, Path(folder) / "run"), {})]
        for instructions, switches in SWITCHES.items() if options.narrower else ():
            (out := Path(folder) / instructions).mkdir()
            paths.append(write(compute_narrower(instructions, data_dir, out), switches))
    (FOLDER / "identity.json").write_text(json.dumps(identity(), indent=1) + "\n", encoding="utf-8")
    for path in paths:
        print(f"{path} written for RESULTS_VERSION {RESULTS_VERSION}")


if __name__ == "__main__":
    main()
