"""Measure in a separate process: `python -m benchmarks.children WHAT ARGUMENTS` prints JSON on stdout.

Imports are inside the functions, so that each measurement loads only the packages that it needs.
"""

import json
import sys
import tempfile
import time
from pathlib import Path


def first_step(started: str) -> dict:
    """Return the seconds from the start of the process to its first training step on digits.

    Args:
        started: the time at which the process was started, as `time.time` gave it.
    """
    from anytime_pruning import run_stream
    from anytime_pruning.training import step

    class FirstStep(Exception):
        pass

    def stop(self, *batch):
        raise FirstStep

    step.TrainingStep.__call__ = stop
    with tempfile.TemporaryDirectory() as folder:
        settings = {"dataset": "digits", "model": "resnet20", "execution": {"data_dir": _data_dir()}}
        try:
            run_stream(settings | {"n_megabatches": 1, "method": "dense"}, folder)
        except FirstStep:
            return {"seconds": time.time() - float(started)}
    raise AssertionError("no training step was made")


def throughput(way: str, name: str, threads: str, seconds: str, device: str) -> dict:
    """Return the training samples per second of this process.

    Args:
        way: `plain` for the plain loop, `ours` for this project's loop, or `ours-gives-back` for this project's loop
            without keeping freed memory.
        name: name of the network.
        threads: number of CPU threads.
        seconds: duration of the measurement in seconds.
        device: the setting `execution.device`.
    """
    import torch

    from anytime_pruning.machine.devices import choose_device
    from anytime_pruning.machine.memory import keep_freed_memory
    from benchmarks.speed.ceiling import synchronize
    from benchmarks.speed.variants import BATCH_SIZE, make_ours, make_plain

    torch.set_num_threads(int(threads))
    if way == "ours":
        keep_freed_memory(True)
    place = choose_device(device)
    variant = make_plain(name, place) if way == "plain" else make_ours(name, place)
    variant.train(5)
    steps, started = 0, time.perf_counter()
    while time.perf_counter() - started < float(seconds):
        variant.train(5)
        synchronize(place)
        steps += 5
    return {"samples_per_s": steps * BATCH_SIZE / (time.perf_counter() - started)}


def memory(name: str) -> dict:
    """Return the peak memory of a few training steps and an evaluation, with as many images as CIFAR has.

    Args:
        name: name of the network.
    """
    import numpy as np
    import torch

    from anytime_pruning.machine.devices import choose_device
    from anytime_pruning.machine.memory import keep_freed_memory
    from anytime_pruning.machine.provenance import describe_hardware
    from anytime_pruning.stream.images import ImageSet
    from anytime_pruning.training.evaluation import evaluate
    from benchmarks.speed.variants import IMAGE_SHAPE, make_ours

    device = choose_device("auto")
    keep_freed_memory(True)
    images = np.zeros((50_000, *IMAGE_SHAPE), np.uint8)
    ours = make_ours(name, device, ImageSet.from_arrays(images, np.zeros(50_000, np.int64), device, 4, True))
    ours.train(4)
    test = ImageSet.from_arrays(images[:10_000], np.zeros(10_000, np.int64), device)
    evaluate(ours.trainer.model, test, torch.arange(1000), ours.trainer.options.precision)
    hardware = describe_hardware(device)
    return {key: value for key, value in hardware.items() if key.startswith("peak_")}


def _data_dir() -> str:
    return str(Path(tempfile.gettempdir()) / "anytime-pruning-bench-data")


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    print(json.dumps({"first_step": first_step, "throughput": throughput, "memory": memory}[what](*arguments)))
