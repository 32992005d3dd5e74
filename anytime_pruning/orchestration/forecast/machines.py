"""Read the speed of each machine on which the benchmarks were run."""

import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The name of a network, and whether the network computes in float32 by the setting `precision`.
Work = tuple[str, bool]
# The measured variant of the training loop, by whether it computes in float32. A machine without native bfloat16 has
# measured only `ours`, which is then float32.
VARIANTS = {False: "ours", True: "without bfloat16"}


@dataclass(frozen=True)
class Machine:
    """Holds the measured speed of a machine.

    Attributes:
        name: name of the processor or GPU, as users know it.
        is_gpu: whether the networks ran on a GPU.
        flops: operations per second during training.
    """

    name: str
    is_gpu: bool
    flops: Mapping[Work, float]

    def hours(self, flop_by_work: Mapping[Work, float]) -> float:
        """Return the hours that given operations take; an unmeasured network gets the median speed of its precision."""
        usual = {
            is_float32: statistics.median(speed for work, speed in self.flops.items() if work[1] == is_float32)
            for is_float32 in VARIANTS
        }
        return sum(flop / self.flops.get(work, usual[work[1]]) for work, flop in flop_by_work.items()) / 3600


def read_machines(folder: Path) -> list[Machine]:
    """Read all measurements in a folder, such as benchmarks/results/; other files are ignored."""
    machines = []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            flops = {
                (name, is_float32): _samples_per_s(network, variant) * network["gflop_per_sample"] * 1e9
                for name, network in content["networks"].items()
                for is_float32, variant in VARIANTS.items()
            }
            machine = Machine(content["machine"]["name"], content["machine"]["device"] != "cpu", flops)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # Results of other benchmarks hold other things under the same names.
            continue
        if flops:
            machines.append(machine)
    return machines


def _samples_per_s(network: Mapping[str, Any], variant: str) -> float:
    measured = network["samples_per_s"]
    return float(measured.get(variant, measured["ours"])["median"])
