"""Measure in a separate process: `python -m benchmarks.children WHAT ARGUMENTS` prints JSON on stdout.

Imports are inside the functions, so that each measurement loads only the packages that it needs.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

# A child whose measurement begins together with others prints this line when it is prepared.
READY = "ready"


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


def throughput(way: str, name: str, threads: str, seconds: str, device: str, slots: str) -> dict:
    """Return the training samples per second of this process, from the moment at which the parent lets it begin.

    Args:
        way: `plain` for the plain loop, `ours` for this project's loop, or `ours-gives-back` for this project's loop
            without keeping freed memory.
        name: name of the network.
        threads: number of CPU threads.
        seconds: duration of the measurement in seconds.
        device: the setting `execution.device`.
        slots: number of processes that share the device.
    """
    import torch

    from anytime_pruning.machine.devices import choose_device, prepare_process
    from anytime_pruning.machine.memory import keep_freed_memory
    from benchmarks.speed.ceiling import synchronize
    from benchmarks.speed.variants import BATCH_SIZE, make_ours, make_plain

    place = choose_device(device)
    if way == "plain":
        # This process stays as torch sets it up, like that of the published code.
        torch.set_num_threads(int(threads))
    else:
        prepare_process(place, int(threads), int(slots))
    if way == "ours-gives-back":
        keep_freed_memory(False)
    variant = make_plain(name, place) if way == "plain" else make_ours(name, place)
    variant.train(5)
    synchronize(place)
    wait_for_the_others()
    steps, started = 0, time.perf_counter()
    while time.perf_counter() - started < float(seconds):
        variant.train(5)
        synchronize(place)
        steps += 5
    return {"samples_per_s": steps * BATCH_SIZE / (time.perf_counter() - started)}


def wait_for_the_others() -> None:
    """Say to the parent that everything is prepared, and wait for a line from it, which all processes get at once."""
    print(READY, flush=True)
    if not sys.stdin.readline():
        sys.exit("the parent is gone")


def memory(name: str) -> dict:
    """Return the peak memory of a few training steps and an evaluation, with as many images as CIFAR has.

    Args:
        name: name of the network.
    """
    import numpy as np
    import torch

    from anytime_pruning.machine.devices import choose_device, prepare_process
    from anytime_pruning.machine.provenance import describe_hardware
    from anytime_pruning.stream.images import ImageSet
    from anytime_pruning.training.evaluation import evaluate
    from benchmarks.speed.variants import IMAGE_SHAPE, make_ours

    device = choose_device("auto")
    prepare_process(device, torch.get_num_threads())
    images = np.zeros((50_000, *IMAGE_SHAPE), np.uint8)
    ours = make_ours(name, device, ImageSet.from_arrays(images, np.zeros(50_000, np.int64), device, 4, True))
    ours.train(4)
    test = ImageSet.from_arrays(images[:10_000], np.zeros(10_000, np.int64), device)
    evaluate(ours.trainer.model, test, torch.arange(1000), ours.trainer.options.precision)
    hardware = describe_hardware(device)
    return {key: value for key, value in hardware.items() if key.startswith("peak_")}


def run_shares(name: str, device: str, threads: str, started: str, n_images: str = "") -> dict:
    """Return where the seconds of a run go, by part.

    Args:
        name: name of the network.
        device: the setting `execution.device`.
        threads: number of CPU threads.
        started: the time at which the process was started, as `time.time` gave it.
        n_images: number of training images; by default as many as train for about a minute.
    """
    from benchmarks.speed.run_shares import measure_run_shares

    usual = 20_000 if device.startswith("cuda") else {"resnet20": 8000}.get(name, 1500)
    return measure_run_shares(name, device, int(threads), float(started), int(n_images or usual))


def _data_dir() -> str:
    return str(Path(tempfile.gettempdir()) / "anytime-pruning-bench-data")


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    measures = {"first_step": first_step, "throughput": throughput, "memory": memory, "run_shares": run_shares}
    print(json.dumps(measures[what](*arguments)))
