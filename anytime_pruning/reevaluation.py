"""Stored networks, tested again: on the images they were tested on, as they were tested."""

from pathlib import Path

import torch

from anytime_pruning.datasets import ImageArrays
from anytime_pruning.evaluation import evaluate
from anytime_pruning.export import load_network
from anytime_pruning.images import ImageSet
from anytime_pruning.memory_format import arrange


def count_errors(run: Path, weights: Path, arrays: ImageArrays, precision: str) -> int:
    """Test images that a stored network classifies wrongly, on the CPU.

    Args:
        precision: in which the run was computed.
    Raises:
        SettingError: the network is not registered.
        DataError: the weights are not those of the network.
    """
    device = torch.device("cpu")
    model = load_network(run, weights)
    arrange(model, arrays.image_shape, device)
    test = ImageSet.from_arrays(arrays.test_images, arrays.test_labels, device)
    return evaluate(model, test, torch.arange(len(test)), precision).error_count


def computes_the_same(hardware: dict, versions: dict) -> bool:
    """Whether a run that was computed there is the same to the bit here: on a CPU of this kind, by this torch."""
    same_processor = hardware.get("cpu_capability") == torch.backends.cpu.get_cpu_capability()
    return hardware.get("device") == "cpu" and same_processor and versions.get("torch") == torch.__version__
