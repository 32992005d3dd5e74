"""Count the multiply-accumulates of every network of the project for the estimate of a study's duration.

`python -m benchmarks.macs` writes anytime_pruning/orchestration/network_macs.json in a few seconds. Write the file
again after adding or changing a network. `tests/orchestration/test_estimate.py` checks some of the numbers.
"""

import json
import sys

import torch

from anytime_pruning import models  # noqa: F401  (this import registers the networks)
from anytime_pruning.foundation.files import write_text
from anytime_pruning.foundation.registry import lookup, names
from anytime_pruning.orchestration.estimate import NETWORK_MACS
from anytime_pruning.pruning.macs import count_macs

CLASSES, IMAGE_SHAPE = 10, (3, 32, 32)


def count_network(name: str) -> int:
    """Count the multiply-accumulates of a network for one image on the meta device, which computes no values."""
    with torch.device("meta"):
        model = lookup("model", name)(CLASSES, IMAGE_SHAPE)
        macs = count_macs(model, IMAGE_SHAPE)
    return macs.total({key: weight.numel() for key, weight in model.named_parameters() if key in macs.positions})


def main() -> int:
    """Count all registered networks and write the file."""
    content = {
        "written_by": "python -m benchmarks.macs",
        "classes": CLASSES,
        "image_shape": IMAGE_SHAPE,
        "multiply_accumulates": {name: count_network(name) for name in names("model")},
    }
    write_text(NETWORK_MACS, json.dumps(content, indent=1) + "\n")
    print(f"{NETWORK_MACS}: {len(names('model'))} networks")
    return 0


if __name__ == "__main__":
    sys.exit(main())
