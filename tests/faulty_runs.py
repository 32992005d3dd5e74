"""Runs in processes of their own that are interrupted, and what has to come of them all the same."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from conftest import ROOT, without_times

TABLES = ("megabatches.csv", "epochs.csv", "layers.csv")


def faulty(*faults: str) -> tuple[str, ...]:
    """The command line in which events of `faulty.py` have consequences."""
    return (sys.executable, "-m", "tests.faulty", *faults, "--")


# As users call it, and as calls it who wants to train the network of `faulty.py`.
PLAIN, WITH_FRAGILE = (sys.executable, "-m", "anytime_pruning"), faulty()
# Two epochs and the end of three megabatches: nine checkpoints, each after an epoch. Twelve steps of a first epoch.
FRAGILE = {
    "dataset": "digits",
    "model": "fragile",
    "n_megabatches": 3,
    "train_limit": 300,
    "epochs": 2,
    "lr_milestones": [1],
    "batch_size": 16,
    "lr": 0.05,
    "pruner": "synflow",
    "precision": "float32",
}


@dataclass
class Run:
    """One run in a folder of its own; started as often as it takes."""

    folder: Path
    settings: dict

    @property
    def out(self) -> Path:
        return self.folder / "run"

    @property
    def resume(self) -> Path:
        return self.out / "resume"

    def start(self, program: Sequence[str] = (), **environment: str) -> subprocess.Popen:
        """The same command each time, whatever runs it."""
        self.folder.mkdir(exist_ok=True)
        program = program or (WITH_FRAGILE if self.settings["model"] == "fragile" else PLAIN)
        command = (*program, "train", "--settings", json.dumps(self.settings), "--out", str(self.out))
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def go(self, program: Sequence[str] = (), **environment: str) -> subprocess.CompletedProcess:
        """To its end, whichever that is."""
        process = self.start(program, **environment)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def finish(self, program: Sequence[str] = ()) -> subprocess.CompletedProcess:
        """To its good end, with nothing left over."""
        done = self.go(program)
        assert done.returncode == 0, done.stderr
        assert {path.name for path in self.folder.rglob("*") if path.is_file()} == {
            *TABLES,
            *("config.yaml", "metrics.json", "weights.safetensors", "run.lock"),
        }
        assert not self.resume.exists()
        return done

    def results(self) -> dict:
        """What must not depend on interruptions: every bit of the weights, every number but times."""
        metrics = json.loads((self.out / "metrics.json").read_text())
        tables = {name: without_times(self.out / name) for name in TABLES}
        numbers = {key: metrics[key] for key in ("digest", "size", "precision", "data_sha256")}
        final = {key: value for key, value in (metrics["final"] | metrics["cost"]).items() if not key.endswith("_s")}
        weights = (self.out / "weights.safetensors").read_bytes()
        return {"weights": weights, "final": final, "config": (self.out / "config.yaml").read_text()} | numbers | tables

    def resumed(self) -> list[dict]:
        """The earlier parts that the result names."""
        return json.loads((self.out / "metrics.json").read_text())["resumed"]

    def checkpoints(self) -> dict[str, bytes]:
        """Files of the checkpoints that are there, hidden ones included, by name."""
        return {path.name: path.read_bytes() for path in sorted(self.resume.iterdir())} if self.resume.exists() else {}

    def copy(self, folder: Path) -> "Run":
        """The same run, as far as it is, in another folder."""
        shutil.copytree(self.folder, folder)
        return Run(folder, self.settings)

    def phase(self) -> str:
        """How far a process came before it was killed, by what it left on disk."""
        files = {path.relative_to(self.out).as_posix() for path in self.out.rglob("*") if path.is_file()}
        if any("/." in name for name in files):
            return "writing a checkpoint"
        if "metrics.json" in files:
            return "done, checkpoints not cleared"
        if any(name.startswith((".", "weights")) for name in files):
            return "writing results"
        numbers = [int(Path(name).stem) for name in files if name.endswith(".json")]
        return f"after checkpoint {max(numbers)}" if numbers else "before the first checkpoint"


def in_parallel(attempt: Callable, trials: Iterable) -> list:
    """What came of each trial, two at a time: most of a trial is other processes."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(attempt, trials))


def execution(data_dir: Path, **others: object) -> dict:
    """As many checkpoints as there are epochs, however short these are."""
    return {"execution": {"device": "cpu", "threads": 1, "data_dir": str(data_dir), "checkpoint_share": 1, **others}}
