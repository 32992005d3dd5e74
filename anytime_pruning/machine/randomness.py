"""Random generators from one seed: one for each purpose, so that a draw added for one never shifts another's."""

import hashlib

from torch import Generator


def derive_seed(seed: int, purpose: str) -> int:
    """A 63-bit seed for a purpose such as `stream`. With one seed all methods see the same data and start."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:8]) >> 1


def make_generator(seed: int, purpose: str) -> Generator:
    """A CPU generator for a purpose; data order is therefore the same on every device."""
    return Generator().manual_seed(derive_seed(seed, purpose))
