"""The command line with faults: something happens to the process at an event that is bound to come, again and again.

`python -m tests.faulty EVENT ACTION [EVENT ACTION ...] -- train ...`; a program of the tests in `integration/`.

Events: `score N`, `step N`, `validate N`, `test N` (before the N-th of the process), `load` (before the data is read),
`half FILE` (a file is half-written), `replace FILE`, `replaced FILE` (before and after it gets its name), `unlinked
FILE`, `half clear` (while checkpoints are removed). Actions: `KILL`, `STOP`, `TERM`, `INT` are signals that the process
gets; `TERM+INT` are two, `fill FILE` writes a file to the end of the disk, `nearly fill FILE` but for 8 kB,
`limit` makes files of 512 bytes the largest.
"""

import os
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

import anytime_pruning.pruning.mask_chooser
import anytime_pruning.runs.job
import anytime_pruning.runs.loop
import anytime_pruning.training.trainer
from anytime_pruning import register
from anytime_pruning.__main__ import main
from anytime_pruning.training.step import TrainingStep


def build(n_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
    """Small, so that faults are what takes the time; with all that a checkpoint may lose: statistics and draws."""
    layers = [nn.Conv2d(image_shape[0], 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()]
    layers += [nn.Conv2d(8, 16, 3, stride=2), nn.BatchNorm2d(16), nn.ReLU(), nn.Dropout(0.3)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * 9, n_classes))


class Faults:
    """What is to happen when. Every event is told by name; `before` patches a function so that it tells one."""

    def __init__(self, actions: dict[str, str]):
        self._actions, self._counts = actions, {}

    def happen(self, event: str, path: str | Path | None = None) -> None:
        """Act if this is an event to act on; a file that is half-written is cut in half."""
        action = self._actions.get(event)
        if not action:
            return
        if path:
            os.truncate(path, os.path.getsize(path) // 2)
        print(f"fault: {action} at {event}", flush=True)
        if "fill " in action:
            fill(Path(action.partition("fill ")[2]), leave=8192 if action.startswith("nearly") else 0)
        elif action == "limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (512, resource.RLIM_INFINITY))
        else:
            for name in action.split("+"):
                os.kill(os.getpid(), signal.Signals[f"SIG{name}"])
                time.sleep(0.01)

    def before(self, place: object, name: str, event: str) -> None:
        """Count the calls of a function."""
        original = getattr(place, name)

        def counted(*args, **kwargs):
            self._counts[event] = self._counts.get(event, 0) + 1
            self.happen(f"{event} {self._counts[event]}" if event != "load" else event)
            return original(*args, **kwargs)

        setattr(place, name, counted)

    def watch_files(self) -> None:
        """Tell what happens to files: a file has its name before `.partial`, without the dot in front."""
        replace, unlink, fsync, rmtree = os.replace, os.unlink, os.fsync, shutil.rmtree

        def watched_replace(source, target):
            self.happen(f"replace {Path(target).name}")
            replace(source, target)
            self.happen(f"replaced {Path(target).name}")

        def watched_unlink(path, **kwargs):
            unlink(path, **kwargs)
            self.happen(f"unlinked {Path(path).name}")

        def watched_fsync(descriptor):
            path = os.readlink(f"/proc/self/fd/{descriptor}")
            if ".partial" in path:
                self.happen(f"half {Path(path).name[1:].partition('.partial')[0]}", path)
            fsync(descriptor)

        def watched_rmtree(folder, **kwargs):
            if "half clear" in self._actions:
                for path in sorted(Path(folder).iterdir())[::2]:
                    unlink(path)
                self.happen("half clear")
            rmtree(folder, **kwargs)

        os.replace, os.unlink, os.fsync, shutil.rmtree = watched_replace, watched_unlink, watched_fsync, watched_rmtree


def fill(path: Path, leave: int) -> None:
    """Write a file until the disk is full, then leave so many bytes."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1):
            try:
                while True:
                    file.write(b"0" * size)
            except OSError:
                continue
        file.truncate(file.tell() - leave)


def run(arguments: Sequence[str]) -> int:
    """The command line after `--`, with the faults before it."""
    torch.set_num_threads(1)
    # Here, and not where tests import this: they would find one model more.
    register("model", "fragile")(build)
    end = arguments.index("--")
    faults = Faults(dict(zip(arguments[:end:2], arguments[1:end:2])))
    faults.before(anytime_pruning.pruning.mask_chooser, "score", "score")
    faults.before(TrainingStep, "__call__", "step")
    faults.before(anytime_pruning.training.trainer, "evaluate", "validate")
    faults.before(anytime_pruning.runs.loop, "evaluate", "test")
    faults.before(anytime_pruning.runs.job, "load_dataset", "load")
    faults.watch_files()
    return main(list(arguments[end + 1 :]))


def run_apart(arguments: Sequence[str], out: Path, err: Path) -> None:
    """As a process that was forked: with an output of its own, and signals as a terminal's processes have them."""
    for stream, path in ((sys.stdout, out), (sys.stderr, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream.fileno())
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Not one that processes share, and that nobody would free when this one is killed.
    tqdm.set_lock(threading.RLock())
    sys.exit(run(arguments))


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
