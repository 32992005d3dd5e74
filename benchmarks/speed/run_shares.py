"""Measure where the seconds of a short run go, and project them to a run of the paper's shape.

The functions of a run are timed from outside, each without the time of those that it calls. What a sample costs in a
short run, it costs in a long one; so the seconds of a long run follow from the samples that it plans. Network, batch
size, image shape and share of images held out are the paper's. The images are noise.
"""

import functools
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from PIL import Image

PAPER = {"n_megabatches": 8, "epochs": 50}
SHORT: dict[str, Any] = {"n_megabatches": 2, "epochs": 2, "lr_milestones": []}
N_PAPER, N_PAPER_TEST = 50_000, 10_000
TRAINING, START = "training steps", "start: imports, data, network"
SCORING, SELECTING = "scoring", "selecting masks"
VALIDATION, CLEAN, TEST = "validation", "clean evaluation of the training set", "test"
CHECKPOINTS, EPOCHS, WRITING, REST = "checkpoints", "between epochs", "writing results", "the rest"
PARTS = (TRAINING, START, SCORING, SELECTING, VALIDATION, CLEAN, TEST, CHECKPOINTS, EPOCHS, WRITING, REST)


class Stopwatch:
    """Adds up the seconds of functions, each without the seconds of other watched functions that it calls.

    Attributes:
        seconds: seconds by part.
        calls: number of calls by part.
        samples: number of samples by part.
    """

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.samples: Counter[str] = Counter()
        self._inner = [0.0]

    def watch(
        self,
        function: Callable[..., Any],
        part: Callable[..., str],
        count: Callable[..., int] = lambda *given, **named: 0,
    ) -> Callable[..., Any]:
        """Return the function with a watch.

        Args:
            function: the function to watch.
            part: names the part by the arguments of a call.
            count: counts the samples of a call by its arguments.
        """

        @functools.wraps(function)
        def watched(*given: Any, **named: Any) -> Any:
            name, started = part(*given, **named), time.perf_counter()
            self.calls[name] += 1
            self.samples[name] += count(*given, **named)
            self._inner.append(0.0)
            try:
                return function(*given, **named)
            finally:
                elapsed = time.perf_counter() - started
                self.seconds[name] += elapsed - self._inner.pop()
                self._inner[-1] += elapsed

        return watched


def measure_run_shares(name: str, device: str, threads: int, started: float, n_images: int) -> dict[str, Any]:
    """Train a short run, and return its seconds by part and those of a run of the paper's shape.

    Args:
        name: name of the network.
        device: the setting `execution.device`.
        threads: number of CPU threads.
        started: the time at which this process was started, as `time.time` gave it.
        n_images: number of training images of the short run; a fifth as many are tested on.
    """
    from anytime_pruning import run_stream
    from anytime_pruning.settings.run import parse_settings

    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        lost = time.time()
        write_noise(folder / "noise", n_images, n_images // 5)
        settings = {
            "dataset": {"name": "noise", "source": "image_folder", "path": str(folder / "noise"), "image_size": 32},
            "model": name,
            "execution": {"device": device, "threads": threads, "data_dir": str(folder / "data")},
        }
        short = parse_settings(settings | SHORT)
        _fill_cache(short)
        started += time.time() - lost
        watch, begun = Stopwatch(), time.time() - started
        with _watched(watch):
            before = time.perf_counter()
            content = run_stream(short, folder / "run")
            wall = begun + time.perf_counter() - before
        # The same images again: the plan of the long run asks only for their number.
        planned = _planned(parse_settings(settings | PAPER | {"lr_milestones": [20, 40]}), N_PAPER, N_PAPER_TEST)
    watch.seconds[START] = begun + watch.seconds.pop("data") + watch.seconds.pop("network")
    watch.samples[SCORING] = content["cost"]["planned_samples"]["score"]
    watch.seconds[REST] = max(0.0, wall - sum(watch.seconds.values()))
    return {
        "images": n_images,
        "precision": content["precision"],
        "threads": threads,
        "seconds": {part: round(watch.seconds[part], 4) for part in PARTS},
        "projected_s": {part: round(s, 2) for part, s in project(watch, planned).items()},
    }


def project(watch: Stopwatch, planned: dict[str, int]) -> dict[str, float]:
    """Return the seconds by part of a run that plans given numbers of samples, prunings and checkpoints.

    What a run does once takes as long as in the measured run; only reading the cache of 50,000 images adds about half a
    second.
    """
    seconds = {
        part: watch.seconds[part] * planned[part] / watch.samples[part]
        for part in (TRAINING, SCORING, VALIDATION, CLEAN, TEST)
        if watch.samples[part]
    }
    for part in (SELECTING, EPOCHS):
        seconds[part] = watch.seconds[part] * planned[part] / max(1, watch.calls[part])
    seconds |= {part: watch.seconds[part] for part in (START, WRITING, REST)}
    # By their setting, checkpoints of epochs take at most this share of the time; those of megabatches are always made.
    each = watch.seconds[CHECKPOINTS] / max(1, watch.calls[CHECKPOINTS])
    most = planned["share_pct"] / 100 * sum(seconds.values())
    seconds[CHECKPOINTS] = min(each * planned["epochs"], most) + each * planned[SELECTING]
    return {part: seconds.get(part, 0.0) for part in PARTS}


def _planned(settings: Any, n_train: int, n_test: int) -> dict[str, int]:
    """Count the samples, prunings and checkpoints of a run."""
    from anytime_pruning.runs.stream_plan import plan_stream

    counts = [megabatch.counts for megabatch in plan_stream(settings, n_train)]
    epochs, n_megabatches = settings.epochs, settings.n_megabatches
    return {
        TRAINING: sum(epochs * train for train, _, _ in counts),
        SCORING: sum(sample for _, _, sample in counts),
        VALIDATION: sum((epochs + 1) * valid for _, valid, _ in counts),
        CLEAN: sum(train for train, _, _ in counts),
        TEST: n_megabatches * n_test,
        SELECTING: n_megabatches,
        EPOCHS: n_megabatches * (epochs + 1),
        "epochs": n_megabatches * epochs,
        "share_pct": round(100 * settings.execution.checkpoint_share),
    }


def _watched(watch: Stopwatch) -> Any:
    """Make a context in which the functions of a run are watched."""
    from contextlib import ExitStack

    from anytime_pruning.pruning import mask_chooser
    from anytime_pruning.runs import job, loop
    from anytime_pruning.runs.checkpointing.checkpointer import Checkpointer
    from anytime_pruning.runs.megabatch import preparation
    from anytime_pruning.training import trainer

    cleaned: list[Any] = []

    def evaluation(model: Any, data: Any, indices: Any, *given: Any, **named: Any) -> str:
        return CLEAN if any(indices is known for known in cleaned) else VALIDATION

    def count(model: Any, data: Any, indices: Any, *given: Any, **named: Any) -> int:
        return len(indices)

    def remember(self: Any, progress: Any, train: Any, valid: Any) -> str:
        cleaned[:] = [train]
        return EPOCHS

    def always(part: str) -> Callable[..., str]:
        return lambda *given, **named: part

    watched = (
        (trainer.Trainer, "train_epoch", always(TRAINING), lambda self, train, *given, **named: len(train)),
        (trainer.Trainer, "_add_epoch", always(EPOCHS), None),
        (trainer.Trainer, "_evaluate_last", remember, None),
        (trainer, "evaluate", evaluation, count),
        (loop, "evaluate", always(TEST), count),
        (preparation.Preparation, "_prune", always(SELECTING), None),
        (mask_chooser, "score", always(SCORING), None),
        (Checkpointer, "write", always(CHECKPOINTS), None),
        (job, "write_run", always(WRITING), None),
        (job, "load_dataset", always("data"), None),
        (job, "build_network", always("network"), None),
    )
    context = ExitStack()
    for owner, name, part, samples in watched:
        function = watch.watch(getattr(owner, name), part, *filter(None, (samples,)))
        context.enter_context(mock.patch.object(owner, name, function))
    return context


def _fill_cache(settings: Any) -> None:
    from anytime_pruning.datasets import load_dataset

    load_dataset(settings.dataset, settings.execution.data_dir)


def write_noise(folder: Path, n_train: int, n_test: int) -> None:
    """Write an image folder of ten classes of noise, 32 x 32 pixels."""
    draw = np.random.default_rng(0)
    for split, count in (("train", n_train), ("test", n_test)):
        for i in range(count):
            path = folder / split / f"class{i % 10}" / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw.integers(0, 256, (32, 32, 3), np.uint8)).save(path)
