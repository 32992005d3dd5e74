"""Start runs in separate processes, interrupt them, and read what they leave on disk."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from conftest import ROOT, without_times
from patience import PATIENCE_S
from warm_python import warm_python

TABLES = ("megabatches.csv", "epochs.csv", "layers.csv")


# A shell makes a process in its background ignore SIGINT, so `env` restores the usual reaction.
PLAIN = ("env", "--default-signal=INT", sys.executable, "-m", "anytime_pruning")
# The run writes nine checkpoints: one after each of two epochs and one at the end of each of three megabatches. The two
# epochs of the first megabatch have twelve steps.
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
    """Start one run in a folder of its own, as often as a test needs."""

    folder: Path
    settings: dict

    @property
    def out(self) -> Path:
        return self.folder / "run"

    @property
    def resume(self) -> Path:
        return self.out / "resume"

    def start(self, *faults: str, program: Sequence[str] = PLAIN) -> subprocess.Popen:
        """Start the command of the run.

        Args:
            faults: events and actions, as `faulty.py` takes them.
            program: the command without its arguments.
        """
        self.folder.mkdir(exist_ok=True)
        if faults or self.settings["model"] == "fragile":
            program = (*program[:-1], "tests.faulty", *faults, "--")
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen((*program, *self._arguments()), cwd=ROOT, **output)

    def go(self, *faults: str) -> subprocess.CompletedProcess:
        """Run until the process ends, whether or not it succeeds."""
        # The server has the usual reaction to SIGINT, so `env` is not needed.
        process = self.start(*faults, program=(str(warm_python()), *PLAIN[3:]))
        out, err = process.communicate(timeout=PATIENCE_S)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def _arguments(self) -> tuple[str, ...]:
        return ("train", "--settings", json.dumps(self.settings), "--out", str(self.out))

    def finish(self) -> subprocess.CompletedProcess:
        """Run to the end; assert that the run succeeds and leaves nothing but its results."""
        done = self.go()
        assert done.returncode == 0, done.stderr
        assert {path.name for path in self.folder.rglob("*") if path.is_file()} == {
            *TABLES,
            *("config.yaml", "metrics.json", "weights.safetensors", "run.lock"),
        }
        assert not self.resume.exists()
        return done

    def results(self) -> dict:
        """Return what interruptions must not change: all bits of the weights, and all numbers except times."""
        metrics = json.loads((self.out / "metrics.json").read_text())
        tables = {name: without_times(self.out / name) for name in TABLES}
        numbers = {key: metrics[key] for key in ("digest", "size", "precision", "data_sha256")}
        final = {key: value for key, value in (metrics["final"] | metrics["cost"]).items() if not key.endswith("_s")}
        weights = (self.out / "weights.safetensors").read_bytes()
        return {"weights": weights, "final": final, "config": (self.out / "config.yaml").read_text()} | numbers | tables

    def resumed(self) -> list[dict]:
        """Return the earlier parts of the run that its result records."""
        return json.loads((self.out / "metrics.json").read_text())["resumed"]

    def checkpoints(self) -> dict[str, bytes]:
        """Return the contents of all checkpoint files by name, hidden files included."""
        return {path.name: path.read_bytes() for path in sorted(self.resume.iterdir())} if self.resume.exists() else {}

    def copy(self, folder: Path) -> "Run":
        """Copy the run in its present state to another folder."""
        shutil.copytree(self.folder, folder)
        return Run(folder, self.settings)

    def phase(self) -> str:
        """Return how far a killed process had come, as the files on disk show."""
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
    """Return the result of each trial.

    Two trials run at a time in threads, because a trial mostly waits for other processes.
    """
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(attempt, trials))


def execution(data_dir: Path, **others: object) -> dict:
    """Return execution settings with which every epoch, however short, writes a checkpoint."""
    return {"execution": {"device": "cpu", "threads": 1, "data_dir": str(data_dir), "checkpoint_share": 1, **others}}
