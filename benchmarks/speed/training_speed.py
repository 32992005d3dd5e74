"""Measure ways to train alternately in one process, and measure the machine's ceiling in each round."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from anytime_pruning import build_model
from anytime_pruning.machine.memory import keep_freed_memory
from anytime_pruning.pruning.pruners import score
from anytime_pruning.pruning.selections.unstructured import select_masks
from benchmarks.speed.ceiling import copy_bytes_per_s, gemm_flops_per_s, median_seconds, synchronize, training_flops
from benchmarks.speed.other_work import make_other_work
from benchmarks.speed.variants import BATCH_SIZE, IMAGE_SHAPE, Variant, make_variants

# A pause between turns lets the workers of a DataLoader refill, because the refill would slow the next turn down.
SETTLE_S = 0.2
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def measure_training(
    name: str,
    device: torch.device,
    rounds: int,
    turn_s: float,
    keep: Callable[[dict[str, Any]], None] = lambda _: None,
) -> dict[str, Any]:
    """Measure the samples per second of each way to train one network, of its other work, and the machine's ceiling.

    Args:
        name: name of the network.
        device: the device that computes.
        rounds: number of turns for each way.
        turn_s: approximate duration of a turn in seconds.
        keep: a function that is called after each round with what was measured so far.

    Returns:
        Medians over the rounds, with the lowest and the highest value. A ratio is the median of the ratios of all
        rounds.
    """
    variants = make_variants(name, device)
    others = make_other_work(variants["ours"])
    taken = variants | others
    flops = training_flops(build_model(name, 10, IMAGE_SHAPE), IMAGE_SHAPE, BATCH_SIZE)
    precision = variants["ours"].trainer.options.precision
    speeds: dict[str, list[float]] = {way: [] for way in taken}
    # A processor without bfloat16 would take minutes for torch's product in it.
    ceilings: dict[str, list[float]] = {key: [] for key in ("float32", precision)}
    bandwidth = []

    def summary() -> dict[str, Any]:
        return {
            "precision": precision,
            "gflop_per_sample": flops / 1e9,
            "gemm_gflops_per_s": {key: statistics.median(values) / 1e9 for key, values in ceilings.items()},
            "copy_gb_per_s": statistics.median(bandwidth) / 1e9,
            "samples_per_s": {way: spread(values) for way, values in speeds.items()},
            "ratio_to_plain": {way: spread(_ratios(speeds[way], speeds["plain"])) for way in variants},
            "ratio_to_ours": {way: spread(_ratios(speeds[way], speeds["ours"])) for way in variants},
            "fraction_of_ceiling": fraction("ours", precision),
            "float32_fraction_of_ceiling": fraction(in_float32, "float32"),
            "other_work_to_training": {way: spread(_ratios(speeds[way], speeds["ours"])) for way in others},
        }

    def fraction(way: str, of: str) -> dict[str, float]:
        return spread([flops * speed / ceiling for speed, ceiling in zip(speeds[way], ceilings[of])])

    in_float32 = "without bfloat16" if "without bfloat16" in variants else "ours"
    n_steps = {way: steps_of_a_turn(variant, device, turn_s) for way, variant in taken.items()}
    for turn in range(rounds):
        for key in ceilings:
            ceilings[key].append(gemm_flops_per_s(device, DTYPES[key]))
        bandwidth.append(copy_bytes_per_s(device))
        for way in rotated(list(taken), turn):
            speeds[way].append(take_turn(taken[way], n_steps[way], device))
        keep(summary())
    scores = score(variants["ours"].trainer.model, "magnitude", [])
    return summary() | {"select_s": median_seconds(lambda: select_masks(scores, 0.3), device)}


def take_turn(variant: Variant, n_steps: int, device: torch.device) -> float:
    """Train for some steps, after a pause and one step that is not measured, and return the samples per second."""
    keep_freed_memory(variant.keeps_memory)
    time.sleep(SETTLE_S)
    with variant.conditions():
        variant.train(1)
        synchronize(device)
        started = time.perf_counter()
        variant.train(n_steps)
        synchronize(device)
        return n_steps * BATCH_SIZE / (time.perf_counter() - started)


def steps_of_a_turn(variant: Variant, device: torch.device, turn_s: float) -> int:
    """Return how many steps last about as long as a turn, after the first steps, in which kernels are chosen."""
    take_turn(variant, 5 if device.type == "cuda" else 1, device)
    return max(2, min(200, round(turn_s * take_turn(variant, 1, device) / BATCH_SIZE)))


def rotated(ways: list[str], turn: int) -> list[str]:
    """Begin each round with a different way, so that a way does not always follow the same other way."""
    return ways[turn % len(ways) :] + ways[: turn % len(ways)]


def spread(values: list[float]) -> dict[str, float]:
    """Return the median of values, with the lowest and the highest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def _ratios(values: list[float], references: list[float]) -> list[float]:
    return [value / reference for value, reference in zip(values, references)]
