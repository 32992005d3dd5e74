"""Runs in processes of their own that are interrupted, and what has to come of them all the same."""

import json
import multiprocessing
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from conftest import ROOT, without_times

from tests.faulty import run_apart

TABLES = ("megabatches.csv", "epochs.csv", "layers.csv")


# A shell that starts the tests in its background has them ignore SIGINT.
PLAIN = ("env", "--default-signal=INT", sys.executable, "-m", "anytime_pruning")
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


# Starts processes that have imported torch already, which is most of the time that a short run takes.
multiprocessing.set_forkserver_preload(["tests.faulty"])
forked = multiprocessing.get_context("forkserver")


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

    def start(self, *faults: str, program: Sequence[str] = PLAIN) -> subprocess.Popen:
        """The same command each time, whatever happens to it (`faulty.py`)."""
        self.folder.mkdir(exist_ok=True)
        if faults or self.settings["model"] == "fragile":
            program = (*program[:-1], "tests.faulty", *faults, "--")
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen((*program, *self._arguments()), cwd=ROOT, **output)

    def go(self, *faults: str) -> subprocess.CompletedProcess:
        """To its end, whichever that is."""
        if self.settings["model"] != "fragile":
            process = self.start(*faults)
            out, err = process.communicate(timeout=120)
            return subprocess.CompletedProcess(process.args, process.returncode, out, err)
        self.folder.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            said = [Path(folder) / name for name in ("out", "err")]
            process = forked.Process(target=run_apart, args=((*faults, "--", *self._arguments()), *said))
            process.start()
            process.join(120)
            return subprocess.CompletedProcess(faults, process.exitcode, *(path.read_text() for path in said))

    def _arguments(self) -> tuple[str, ...]:
        return ("train", "--settings", json.dumps(self.settings), "--out", str(self.out))

    def finish(self) -> subprocess.CompletedProcess:
        """To its good end, with nothing left over."""
        done = self.go()
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
