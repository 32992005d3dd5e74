"""Derive random generators from one seed, one for each purpose, so that purposes never affect each other's draws."""

import hashlib
import json
import random
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor


def derive_seed(seed: int, purpose: str) -> int:
    """Return a 63-bit seed for a purpose.

    Args:
        seed: the seed of the run; all methods with one seed see the same data and the same initial weights.
        purpose: name of the purpose, such as `stream`.
    """
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:8]) >> 1


def make_generator(seed: int, purpose: str) -> Generator:
    """Make a generator for a purpose on the CPU, so that the order of the data is the same on every device."""
    return Generator().manual_seed(derive_seed(seed, purpose))


def random_states(generator: Generator, device: torch.device) -> dict[str, Tensor]:
    """Return the states of all generators that training draws from.

    Args:
        generator: the generator of the data order and the augmentation.
        device: the device that computes; networks with dropout draw from torch's own generator of the device, and
            those of other people also from the generators of Python and numpy.
    """
    states = {
        "training": generator.get_state(),
        "cpu": torch.get_rng_state(),
        "python": _to_tensor(random.getstate()),
        "numpy": _to_tensor(np.random.get_state(legacy=False)),  # noqa: NPY002
    }
    return states | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def restore_random_states(states: dict[str, Tensor], generator: Generator, device: torch.device) -> None:
    """Set all generators to states that `random_states` returned."""
    generator.set_state(states["training"])
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    version, numbers, gauss = _from_tensor(states["python"])
    random.setstate((version, tuple(numbers), gauss))
    np.random.set_state(_from_tensor(states["numpy"]))  # noqa: NPY002


def _to_tensor(state: Any) -> Tensor:
    """Return a state of lists, numbers and arrays as a tensor of bytes, because checkpoints hold tensors."""
    return torch.frombuffer(bytearray(json.dumps(state, default=np.ndarray.tolist).encode()), dtype=torch.uint8)


def _from_tensor(state: Tensor) -> Any:
    return json.loads(bytes(state.tolist()))
