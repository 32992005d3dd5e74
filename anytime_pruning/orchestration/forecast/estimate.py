"""Estimate how long a study takes, before any run, by dividing its operations by a measured speed.

Importing this module loads torch, because the code of each replay policy registers the policy and counts its images.
"""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from anytime_pruning.datasets.cache import cached_train_count
from anytime_pruning.foundation.errors import name_some
from anytime_pruning.foundation.metrics import TRAINING_PASSES
from anytime_pruning.foundation.registry import lookup
from anytime_pruning.orchestration.forecast.machines import Machine, Work
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.stream.replay import Size, size_of
from anytime_pruning.stream.sizes import count_valid, megabatch_sizes

# This file holds the multiply-accumulates of one image and the parameters of each network;
# `python -m benchmarks.network_sizes` writes the file.
NETWORK_SIZES = Path(__file__).with_name("network_sizes.json")
# A multiply-accumulate is two operations.
FLOP_PER_MAC = 2
# Without a measured GPU, the estimate assumes the operations per second of a mid-range GPU on these networks.
ASSUMED_GPU_FLOPS = 20e12
# Below a tenth of an hour on the assumed GPU, the time of a study depends on start-up and not on operations, so no
# estimate is printed.
WORTH_SAYING = 0.1 * 3600 * ASSUMED_GPU_FLOPS


def describe_cost(runs: Iterable[RunSettings], machines: list[Machine]) -> str:
    """Estimate the hours that runs take on each machine, and name the runs that cannot be counted.

    Returns:
        One line of text, or an empty text if the runs take only minutes.
    """
    flop_by_work: dict[Work, float] = {}
    uncounted, runs = [], list(runs)
    for settings in runs:
        flop = flop_of_run(settings)
        if flop is None:
            uncounted.append(_name_uncounted(settings))
        else:
            work = settings.model, settings.precision == "float32"
            flop_by_work[work] = flop_by_work.get(work, 0) + flop
    if not uncounted and sum(flop_by_work.values()) < WORTH_SAYING:
        return ""
    parts = _hours(flop_by_work, machines) if flop_by_work else []
    if uncounted:
        parts.append(f"not counted: {len(uncounted)} of {len(runs)} runs ({'; '.join(sorted(set(uncounted)))})")
    return f"About {'; '.join(parts)}." if flop_by_work else f"The duration is unknown; {'; '.join(parts)}."


def _hours(flop_by_work: dict[Work, float], machines: list[Machine]) -> list[str]:
    """Return one text for each measured GPU; without a measured GPU, one for each machine and for an assumed GPU."""
    gpus = [machine for machine in machines if machine.is_gpu]
    texts = [f"{_rounded(m.hours(flop_by_work))} hours of {_how_measured(m, flop_by_work)}" for m in gpus or machines]
    if gpus:
        return texts
    hours = sum(flop_by_work.values()) / ASSUMED_GPU_FLOPS / 3600
    assumed = (
        f"{_rounded(hours)} GPU-hours at {ASSUMED_GPU_FLOPS / 1e12:.0f} TFLOP/s, which is assumed: no GPU has been "
        "measured (make bench)"
    )
    return [assumed, *texts]


def _how_measured(machine: Machine, works: Iterable[Work]) -> str:
    """Name a machine, and the networks whose speed there is taken from others."""
    others = sorted({name for name, is_float32 in works if (name, is_float32) not in machine.flops})
    guessed = f" (but {name_some(others)}: the median of other networks)" if others else ""
    return f"{machine.name}, as measured{guessed}"


def _name_uncounted(settings: RunSettings) -> str:
    """Name the parts of a run that may be the reason why its operations cannot be counted."""
    text = f"{settings.model} on {settings.dataset.name}"
    return text if _size_of(settings) else f"{text}, replay {settings.replay}"


def flop_of_run(settings: RunSettings) -> float | None:
    """Count the operations of a whole stream.

    The number of test images is assumed to be a fifth of the number of all training images, as in CIFAR.

    Returns:
        Floating point operations, or None if the network, the number of images or the size of the replay policy is not
        known.
    """
    n_all = cached_train_count(settings.dataset, settings.execution.data_dir)
    n_used = settings.train_limit or n_all
    macs = network_macs().get(settings.model)
    size = _size_of(settings)
    if macs is None or n_used is None or size is None:
        return None
    part = n_used / settings.n_megabatches
    _, largest = megabatch_sizes(n_used, settings.n_megabatches)
    valid_share = count_valid(largest, settings.valid_frac) / largest
    # The setting `buffer_size` counts training images only, but the size of a policy counts training and validation
    # images together.
    buffer_size = settings.buffer_size / (1 - valid_share)
    trained, evaluated = 0.0, settings.n_megabatches * (n_all or n_used) / 5
    for t, epochs in enumerate(settings.epochs_at(), start=1):
        used = size(t, part, buffer_size)
        valid, train = valid_share * used, (1 - valid_share) * used
        trained += epochs * train
        evaluated += (max(epochs, 1) + 1) * valid + train
    pixels = (getattr(settings.dataset, "image_size", 32) / 32) ** 2
    return FLOP_PER_MAC * macs * pixels * (TRAINING_PASSES * trained + evaluated)


def _size_of(settings: RunSettings) -> Size | None:
    """Return the function that counts the images of the run's replay policy, or None if the policy has none."""
    return size_of(lookup("replay", settings.replay))


def network_macs() -> dict[str, float]:
    """Return the multiply-accumulates for one image of 3 x 32 x 32 and ten classes, by the name of the network."""
    return _network_sizes()["multiply_accumulates"]


def network_parameters() -> dict[str, float]:
    """Return the numbers of parameters with ten classes, by the name of the network."""
    return _network_sizes()["parameters"]


@cache
def _network_sizes() -> dict[str, dict[str, float]]:
    sizes: dict[str, dict[str, float]] = json.loads(NETWORK_SIZES.read_text(encoding="utf-8"))
    return sizes


def _rounded(hours: float) -> str:
    """Write hours with two significant digits, because the hours are only an estimate."""
    return f"{float(f'{hours:.2g}'):,.0f}" if hours >= 10 else f"{hours:.2g}"
