"""Count the multiply-accumulates and parameters of every network, for the estimates of a study's hours and disk space.

`python -m benchmarks.network_sizes` writes network_sizes.json in anytime_pruning/orchestration/forecast/ in a few
seconds. Write the file again after adding or changing a network. `tests/orchestration/test_estimate.py` checks some of
the numbers.
"""

import json
import sys

import torch

from anytime_pruning import models  # noqa: F401  (this import registers the networks)
from anytime_pruning.foundation.files import write_text
from anytime_pruning.foundation.registry import lookup, names
from anytime_pruning.orchestration.forecast.estimate import NETWORK_SIZES
from anytime_pruning.pruning.macs import count_macs

CLASSES, IMAGE_SHAPE = 10, (3, 32, 32)


def count_network(name: str) -> tuple[int, int]:
    """Return a network's multiply-accumulates for one image and its parameters.

    The network is built on the meta device, which computes no values.
    """
    with torch.device("meta"):
        model = lookup("model", name)(CLASSES, IMAGE_SHAPE)
        macs = count_macs(model, IMAGE_SHAPE)
    counts = {key: weight.numel() for key, weight in model.named_parameters()}
    return macs.total({key: count for key, count in counts.items() if key in macs.positions}), sum(counts.values())


def main() -> int:
    """Count all registered networks and write the file."""
    counted = {name: count_network(name) for name in names("model")}
    content = {
        "written_by": "python -m benchmarks.network_sizes",
        "classes": CLASSES,
        "image_shape": IMAGE_SHAPE,
        "multiply_accumulates": {name: macs for name, (macs, _) in counted.items()},
        "parameters": {name: parameters for name, (_, parameters) in counted.items()},
    }
    write_text(NETWORK_SIZES, json.dumps(content, indent=1) + "\n")
    print(f"{NETWORK_SIZES}: {len(counted)} networks")
    return 0


if __name__ == "__main__":
    sys.exit(main())
