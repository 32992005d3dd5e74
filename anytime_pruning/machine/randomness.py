"""Random generators from one seed: one for each purpose, so that a draw added for one never shifts another's."""

import hashlib

import torch
from torch import Generator, Tensor


def derive_seed(seed: int, purpose: str) -> int:
    """A 63-bit seed for a purpose such as `stream`. With one seed all methods see the same data and start."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:8]) >> 1


def make_generator(seed: int, purpose: str) -> Generator:
    """A CPU generator for a purpose; data order is therefore the same on every device."""
    return Generator().manual_seed(derive_seed(seed, purpose))


def random_states(generator: Generator, device: torch.device) -> dict[str, Tensor]:
    """The states of every generator that training draws from: its own, and torch's, of networks with dropout."""
    states = {"training": generator.get_state(), "cpu": torch.get_rng_state()}
    return states | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def restore_random_states(states: dict[str, Tensor], generator: Generator, device: torch.device) -> None:
    """Let every generator go on from where it was."""
    generator.set_state(states["training"])
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
