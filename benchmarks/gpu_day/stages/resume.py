"""Kill a training in the middle of an epoch with SIGKILL, go on with it, and compare its weights bit by bit."""

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

from benchmarks.gpu_day.stages import report
from benchmarks.jobs import ENVIRONMENT, ROOT

# A process that trains with the command of the package, and kills itself after a number of steps.
TRAIN = """
import os, signal, sys
from types import SimpleNamespace
from anytime_pruning.cli.main import main
from anytime_pruning.foundation import signals
from anytime_pruning.training import trainer

steps = int(sys.argv[1])

def count():
    global steps
    steps -= 1
    if steps == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return signals.is_due()

# Training asks after each step; other parts of a run, which ask as well, are not counted.
trainer.signals = SimpleNamespace(is_due=count, check=signals.check)
sys.exit(main(sys.argv[2:]))
"""
NEVER = 0


def run(device: str, data: str) -> None:
    """Report whether a killed training ends with the weights of one that was not killed."""
    settings = _settings(device, data)
    equal = []
    for deterministic in (True, False) if device != "cpu" else (False,):
        execution = settings["execution"] | {"deterministic": deterministic}
        equal.append(_compare(settings | {"execution": execution}, "deterministic" if deterministic else "as usual"))
    # By default, cuDNN may choose other kernels in each process, which round differently.
    if not equal[0]:
        sys.exit("a training that was killed and gone on with has other weights")


def _settings(device: str, data: str) -> dict[str, Any]:
    """Return the settings of a short training, on CIFAR-100 if it is there."""
    from anytime_pruning.datasets import parse_dataset
    from anytime_pruning.datasets.cache import is_loadable

    has_cifar = device != "cpu" and is_loadable(parse_dataset("cifar100"), Path(data))
    dataset, images = ("cifar100", 5000) if has_cifar else ("digits", 200)
    execution = {"device": device, "data_dir": data, "checkpoint_share": 1}
    run = {"dataset": dataset, "model": "resnet20", "n_megabatches": 1, "train_limit": images, "epochs": 2}
    return run | {"lr_milestones": [1], "execution": execution}


def _compare(settings: dict[str, Any], how: str) -> bool:
    n_steps = -(-round(0.9 * settings["train_limit"]) // 64)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _train(settings, folder / "whole", NEVER)
        # The kill comes in the middle of the second epoch, when the checkpoint of the first is written.
        _train(settings, folder / "killed", n_steps + n_steps // 2, expected=-signal.SIGKILL)
        report(f"{how}: killed after a checkpoint", any((folder / "killed/resume").glob("*.safetensors")))
        _train(settings, folder / "killed", NEVER)
        metrics = json.loads((folder / "killed/metrics.json").read_text(encoding="utf-8"))
        parts = [(part["t"], part["epochs"]) for part in metrics["resumed"]]
        report(f"{how}: gone on with after (megabatch, epoch)", parts)
        weights = [load_file(folder / way / "weights.safetensors") for way in ("whole", "killed")]
    is_equal = weights[0].keys() == weights[1].keys() and all(
        weight.tobytes() == weights[1][name].tobytes() for name, weight in weights[0].items()
    )
    report(f"{how}: weights have the same bits", is_equal and parts == [(1, 1)])
    return is_equal and parts == [(1, 1)]


def _train(settings: dict[str, Any], folder: Path, steps: int, expected: int = 0) -> None:
    arguments = ("train", "--settings", json.dumps(settings), "--out", str(folder))
    done = subprocess.run((sys.executable, "-c", TRAIN, str(steps), *arguments), env=ENVIRONMENT, cwd=ROOT)
    if done.returncode != expected:
        raise RuntimeError(f"the training ended with status {done.returncode} instead of {expected}")
