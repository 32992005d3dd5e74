"""Seed torch's own generators, from which networks of other people draw."""

import torch


def seed_torch(seed: int) -> None:
    """Seed torch's own generators of the CPU and of all GPUs.

    `torch.manual_seed` also keeps the request, with the stack of its caller, for each kind of device that this machine
    does not have, for as long as the process lives.
    """
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)
