"""Read the speed of each machine on which the benchmarks were run."""

import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """Holds the measured speed of a machine.

    Attributes:
        name: name of the processor or GPU, as users know it.
        is_gpu: whether the networks ran on a GPU.
        flops: operations per second during training, by the name of the network.
    """

    name: str
    is_gpu: bool
    flops: Mapping[str, float]

    def hours(self, flop_by_model: Mapping[str, float]) -> float:
        """Return the hours that given operations of each network take; an unmeasured network gets the median speed."""
        usual = statistics.median(self.flops.values())
        return sum(flop / self.flops.get(model, usual) for model, flop in flop_by_model.items()) / 3600


def read_machines(folder: Path) -> list[Machine]:
    """Read all measurements in a folder, such as benchmarks/results/; other files are ignored."""
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
