"""About how long a study takes, before anything runs: its operations over the measured speed. Torch-free."""

import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from anytime_pruning.datasets.cache import cached_train_count
from anytime_pruning.settings.run import RunSettings

# Million multiply-accumulates of an image of 32 x 32 pixels and three channels, at ten classes; as `macs.py` counts.
MEGA_MACS = {
    "resnet18": 555.4,
    "resnet18_imagenet_stem": 37.0,
    "resnet20": 40.6,
    "resnet34": 1159.4,
    "resnet34_imagenet_stem": 74.8,
    "resnet44": 97.2,
    "resnet50": 1297.8,
    "resnet50_imagenet_stem": 83.4,
    "resnet56": 125.5,
    "resnet101": 2510.0,
    "resnet101_imagenet_stem": 159.2,
    "vgg16_bn": 313.2,
    "wide_resnet50_2": 3684.4,
    "wide_resnet50_2_imagenet_stem": 232.6,
    "wide_resnet101_2": 7392.2,
    "wide_resnet101_2_imagenet_stem": 464.3,
}
# Two operations for a multiply-accumulate, and three passes of that size for a sample that is trained on.
FLOP_PER_MAC, TRAINING_PASSES = 2, 3
# For a GPU that nobody has measured yet: operations per second that a mid-range one may sustain on these networks.
ASSUMED_GPU_FLOPS = 20e12
# Below, start-up and small images decide and not operations: a tenth of an hour of that GPU.
WORTH_SAYING = 0.1 * 3600 * ASSUMED_GPU_FLOPS


@dataclass(frozen=True)
class Machine:
    """A machine that was measured: training operations per second by network, from benchmarks/results/."""

    name: str
    is_gpu: bool
    flops: dict[str, float]

    def hours(self, flop_by_model: dict[str, float]) -> float:
        """Hours for so many operations of each network; one that was not measured is taken for the median."""
        usual = statistics.median(self.flops.values())
        return sum(flop / self.flops.get(model, usual) for model, flop in flop_by_model.items()) / 3600


def read_machines(folder: Path) -> list[Machine]:
    """The machines whose measurements lie in a folder; a file that is none of these is passed over."""
    machines = []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text())
            flops = {
                name: network["samples_per_s"]["ours"]["median"] * network["gflop_per_sample"] * 1e9
                for name, network in content["networks"].items()
            }
            machine = Machine(content["machine"]["name"], content["machine"]["device"] != "cpu", flops)
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if flops:
            machines.append(machine)
    return machines


def describe_cost(runs: Iterable[RunSettings], machines: list[Machine]) -> str:
    """One line: about how many hours some runs take, on what, and what is not counted; empty if that is minutes."""
    flop_by_model: dict[str, float] = {}
    uncounted, runs = [], list(runs)
    for settings in runs:
        flop = flop_of_run(settings)
        if flop is None:
            uncounted.append(f"{settings.model} on {settings.dataset.name}")
        else:
            flop_by_model[settings.model] = flop_by_model.get(settings.model, 0) + flop
    if not uncounted and sum(flop_by_model.values()) < WORTH_SAYING:
        return ""
    parts = []
    gpus = [machine for machine in machines if machine.is_gpu]
    if flop_by_model and not gpus:
        hours = sum(flop_by_model.values()) / ASSUMED_GPU_FLOPS / 3600
        parts.append(
            f"{_rounded(hours)} GPU-hours at {ASSUMED_GPU_FLOPS / 1e12:.0f} TFLOP/s, which is assumed: no GPU has been "
            "measured (make bench)"
        )
    if flop_by_model:
        parts += [f"{_rounded(m.hours(flop_by_model))} hours of {m.name}, as measured" for m in gpus or machines]
    if uncounted:
        parts.append(f"not counted: {len(uncounted)} of {len(runs)} runs ({'; '.join(sorted(set(uncounted)))})")
    return f"About {'; '.join(parts)}." if flop_by_model else f"How long it takes is {'; '.join(parts)}."


def flop_of_run(settings: RunSettings) -> float | None:
    """Operations of a whole stream; None where the network or the number of images is not known.

    Test images are taken for a fifth of all training images, as CIFAR has them.
    """
    n_all = cached_train_count(settings.dataset, settings.execution.data_dir)
    n_used = settings.train_limit or n_all
    if settings.model not in MEGA_MACS or n_used is None:
        return None
    trained, evaluated = _samples(settings, n_used, (n_all or n_used) / 5)
    pixels = (getattr(settings.dataset, "image_size", 32) / 32) ** 2
    macs = MEGA_MACS[settings.model] * 1e6 * pixels
    return FLOP_PER_MAC * macs * (TRAINING_PASSES * trained + evaluated)


def _samples(settings: RunSettings, n_used: int, n_test: float) -> tuple[float, float]:
    """Samples trained on and evaluated, by the size of the replay-inclusive set at each megabatch."""
    part = n_used / settings.n_megabatches
    share = settings.valid_frac
    buffer = settings.buffer_size / (1 - share)
    sizes = {
        "none": lambda t: part,
        "previous": lambda t: part * min(t, 2),
        "buffer": lambda t: part + min(buffer, part * (t - 1)),
    }
    size = sizes.get(settings.replay, lambda t: part * t)
    total = sum(size(t) for t in range(1, settings.n_megabatches + 1))
    train, valid = (1 - share) * total, share * total
    return settings.epochs * train, (settings.epochs + 1) * valid + train + settings.n_megabatches * n_test


def _rounded(hours: float) -> str:
    """Two digits, as befits an estimate."""
    return f"{float(f'{hours:.2g}'):,.0f}" if hours >= 10 else f"{hours:.2g}"
