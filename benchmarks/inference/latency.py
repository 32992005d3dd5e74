"""Measure the latency of several calls in turns, so that what else the machine does falls on all of them alike."""

import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

from torch import Tensor

Key = TypeVar("Key", bound=Hashable)
N_WARM = 3


def measure_latencies(
    calls: Mapping[Key, Callable[[Tensor], None]], images: Tensor, rounds: int, turn_s: float
) -> dict[Key, dict[str, float]]:
    """Call each function again and again for a turn, round after round.

    Args:
        calls: functions that compute on a batch of images and wait for the result.
        images: the batch.
        rounds: number of turns of each function.
        turn_s: seconds of one turn; a turn has at least one call.

    Returns:
        Median, 95th percentile, and the lowest and highest median of a turn, in milliseconds, and the number of calls.
    """
    turns: dict[Key, list[list[float]]] = {key: [] for key in calls}
    for call in calls.values():
        for _ in range(N_WARM):
            call(images)
    for _ in range(rounds):
        for key, call in calls.items():
            turns[key].append(_take_turn(call, images, turn_s))
    return {key: _summarise(taken) for key, taken in turns.items()}


def _take_turn(call: Callable[[Tensor], None], images: Tensor, turn_s: float) -> list[float]:
    call(images)  # brings the caches back, which the calls of the others have used
    latencies: list[float] = []
    end = time.perf_counter() + turn_s
    while not latencies or time.perf_counter() < end:
        started = time.perf_counter()
        call(images)
        latencies.append(1000 * (time.perf_counter() - started))
    return latencies


def _summarise(turns: list[list[float]]) -> dict[str, float]:
    every = sorted(latency for turn in turns for latency in turn)
    medians = [statistics.median(turn) for turn in turns]
    return {
        "median": statistics.median(every),
        "p95": every[min(len(every) - 1, int(0.95 * len(every)))],
        "lowest": min(medians),
        "highest": max(medians),
        "calls": len(every),
    }
