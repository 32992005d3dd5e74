"""Measure ways to train a network in turns, and check that a step does not wait for the GPU."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from anytime_pruning import build_model
from anytime_pruning.machine.devices import choose_device, prepare_process
from anytime_pruning.machine.kernels.bfloat16 import choose_precision
from anytime_pruning.stream.images import ImageSet
from anytime_pruning.training.options import TrainingOptions
from benchmarks.gpu_day.stages import gathering_warnings, is_recorded, report
from benchmarks.speed.candidates import CHANGES, arrange_with
from benchmarks.speed.ceiling import gemm_flops_per_s, training_flops
from benchmarks.speed.training_speed import rotated, spread, steps_of_a_turn, take_turn
from benchmarks.speed.variants import BATCH_SIZE, IMAGE_SHAPE, Variant, make_images, make_loop, make_options, make_plain

MakeWays = Callable[[str, ImageSet, TrainingOptions], dict[str, Variant]]
# On a GPU, more steps than a recording waits for.
WARM_UP = {"cuda": 6, "cpu": 1}


def run(device_name: str, network: str, rounds: str, turn_s: str) -> None:
    """Measure the recorded and the unrecorded step and the plain loop, and look for steps that wait."""
    _measure(device_name, network, int(rounds), float(turn_s), _unrecorded)


def run_compiled(device_name: str, network: str, rounds: str, turn_s: str) -> None:
    """Measure the compiled and recorded step beside the recorded one and the plain loop."""
    _measure(device_name, network, int(rounds), float(turn_s), _compiled)


def run_candidates(device_name: str, network: str, rounds: str, turn_s: str) -> None:
    """Measure the recorded step with each change that no run makes, beside the step of a run and the plain loop."""
    _measure(device_name, network, int(rounds), float(turn_s), _candidates)


def _measure(device_name: str, network: str, rounds: int, turn_s: float, make_others: MakeWays) -> None:
    device = choose_device(device_name)
    prepare_process(device, 1)
    with gathering_warnings() as problems:
        ways = _make_ways(network, device, make_others)
    report("precision", ways["recorded"].trainer.options.precision)
    for way, variant in ways.items():
        if way != "plain":
            problems += warm_up(way, variant, device)
            if problems and device.type == "cuda":
                sys.exit(f"nothing was measured, because a way to train is not what its name says: {problems[0]}")
            report(f"{way}: steps do not wait for the GPU", look_for_waiting(variant, device))
    n_steps = {way: steps_of_a_turn(variant, device, turn_s) for way, variant in ways.items()}
    speeds: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds):
        for way in rotated(list(ways), turn):
            speeds[way].append(take_turn(ways[way], n_steps[way], device))
            report(way, spread(speeds[way]))
    flops = training_flops(build_model(network, 10, IMAGE_SHAPE), IMAGE_SHAPE, BATCH_SIZE)
    report("gflop_per_sample", flops / 1e9)
    dtype = getattr(torch, ways["recorded"].trainer.options.precision)
    ceiling = gemm_flops_per_s(device, dtype)
    report("gemm_gflops_per_s", ceiling / 1e9)
    best = max((way for way in ways if way != "plain"), key=lambda way: spread(speeds[way])["median"])
    report(f"{best}: share of the GEMM ceiling", round(flops * spread(speeds[best])["median"] / ceiling, 3))


def _make_ways(network: str, device: torch.device, make_others: MakeWays) -> dict[str, Variant]:
    data = ImageSet.from_arrays(*make_images(), device, crop_padding=4, flip=True)
    options = make_options(network, choose_precision("auto", device))
    recorded = {"recorded": make_loop(network, data, options)}
    return recorded | make_others(network, data, options) | {"plain": make_plain(network, device)}


def _unrecorded(network: str, data: ImageSet, options: TrainingOptions) -> dict[str, Variant]:
    return {"unrecorded": make_loop(network, data, replace(options, records_steps=False))}


def _compiled(network: str, data: ImageSet, options: TrainingOptions) -> dict[str, Variant]:
    return {"compiled and recorded": make_loop(network, data, replace(options, compile=True))}


def _candidates(network: str, data: ImageSet, options: TrainingOptions) -> dict[str, Variant]:
    changes = {f"recorded with {name}": partial(arrange_with, change) for name, change in CHANGES.items()}
    return {way: make_loop(network, data, options, arrange) for way, arrange in changes.items()}


def warm_up(way: str, variant: Variant, device: torch.device) -> list[str]:
    """Take the first steps, and return why this way is not what its name says, if it is not."""
    with gathering_warnings() as problems:
        variant.train(WARM_UP[device.type])
    if not problems and is_recorded(variant.trainer) != ("recorded" in way.split()):
        problems.append(f"{way}: the step is {'' if is_recorded(variant.trainer) else 'not '}recorded")
    return problems


def look_for_waiting(variant: Variant, device: torch.device) -> bool | str:
    """Return whether steps run without waiting for the GPU, or else what torch says about the first that waits."""
    if device.type != "cuda":
        return "not run: no CUDA device"
    try:
        with _refusing_to_wait(variant):
            variant.train(WARM_UP["cuda"])
    except RuntimeError as error:
        return f"no: {str(error).strip().splitlines()[0]}"
    return True


@contextmanager
def _refusing_to_wait(variant: Variant) -> Iterator[None]:
    """Make torch raise an error where a step waits for the GPU; what is around the steps may wait."""
    trainer: Any = variant.trainer
    step = trainer.step

    def strict(*batch: torch.Tensor) -> Any:
        torch.cuda.set_sync_debug_mode("error")
        try:
            return step(*batch)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    trainer.step = strict
    try:
        yield
    finally:
        trainer.step = step
