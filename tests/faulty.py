"""Run the command line with faults, each of which happens at a chosen event in the process.

The tests in `integration/` call `python -m tests.faulty EVENT ACTION [EVENT ACTION ...] -- train ...`.

Events:
    `score N`, `step N`, `validate N`, `test N`: before the N-th such call of the process
    `load`: before the data is read
    `half FILE`: when half of a file is written
    `replace FILE`, `replaced FILE`: before and after a file gets its name
    `unlinked FILE`: after a file is removed
    `half clear`: after half of the checkpoints are removed

Actions:
    `KILL`, `STOP`, `TERM`, `INT`: send this signal to the process
    `TERM+INT`: send two signals
    `fill FILE`, `nearly fill FILE`: write a file until the disk is full, or has 8 kB left
    `limit`: forbid files of more than 512 bytes
"""

import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

import anytime_pruning.pruning.mask_chooser
import anytime_pruning.runs.job
import anytime_pruning.runs.loop
import anytime_pruning.training.trainer
from anytime_pruning import register
from anytime_pruning.__main__ import main
from anytime_pruning.training.step import TrainingStep


def build(n_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
    """Build a small and fast network with batch statistics and dropout, whose state a checkpoint could lose."""
    layers = [nn.Conv2d(image_shape[0], 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()]
    layers += [nn.Conv2d(8, 16, 3, stride=2), nn.BatchNorm2d(16), nn.ReLU(), nn.Dropout(0.3)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * 9, n_classes))


class Faults:
    """Act at chosen events.

    The methods `before` and `watch_files` patch functions, so that each event calls `happen` with its name.
    """

    def __init__(self, actions: dict[str, str]):
        self._actions, self._counts = actions, {}

    def happen(self, event: str, path: str | Path | None = None) -> None:
        """Act if an action was given for this event.

        Args:
            event: the name of the event.
            path: the file that is being written, which is cut in half first.
        """
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
        """Patch a function so that each call first makes the event happen, with the number of the call."""
        original = getattr(place, name)

        def counted(*args, **kwargs):
            self._counts[event] = self._counts.get(event, 0) + 1
            self.happen(f"{event} {self._counts[event]}" if event != "load" else event)
            return original(*args, **kwargs)

        setattr(place, name, counted)

    def watch_files(self) -> None:
        """Patch the functions that change files.

        A partial file is called `.FILE.partial...`, and its event names FILE.
        """
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
    """Write a file until the disk is full, then cut the file so that `leave` bytes are free."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1):
            try:
                while True:
                    file.write(b"0" * size)
            except OSError:
                continue
        file.truncate(file.tell() - leave)


def run(arguments: Sequence[str]) -> int:
    """Run the command line that follows `--`, with the faults that precede `--`, and return its exit status."""
    torch.set_num_threads(1)
    # The model is registered here and not on import, because tests that import this module list the models.
    register("model", "fragile")(build)
    end = arguments.index("--")
    faults = Faults(dict(zip(arguments[:end:2], arguments[1:end:2])))
    for name in ("score", "score_all_weights"):
        faults.before(anytime_pruning.pruning.mask_chooser, name, "score")
    faults.before(TrainingStep, "__call__", "step")
    faults.before(anytime_pruning.training.trainer, "evaluate", "validate")
    faults.before(anytime_pruning.runs.loop, "evaluate", "test")
    faults.before(anytime_pruning.runs.job, "load_dataset", "load")
    faults.watch_files()
    return main(list(arguments[end + 1 :]))


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
