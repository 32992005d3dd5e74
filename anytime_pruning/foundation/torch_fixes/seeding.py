"""Seed the generators of the whole process, from which networks of other people draw, and bring their states back."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_generators(seed: int) -> None:
    """Seed torch's own generators of the CPU and of all GPUs, and those of numpy and Python.

    `torch.manual_seed` also keeps the request, with the stack of its caller, for each kind of device that this machine
    does not have, for as long as the process lives.
    """
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  (numpy takes no larger seed)


def keep_generators() -> Callable[[], None]:
    """Keep the states of all generators of the process, and return the function that brings them back."""
    python, numpy, cpu = random.getstate(), np.random.get_state(legacy=False), torch.get_rng_state()  # noqa: NPY002
    # CUDA must not start for this: it has no state before.
    count = torch.cuda.device_count() if torch.cuda.is_initialized() else 0  # type: ignore[no-untyped-call]
    gpus = [torch.cuda.get_rng_state(gpu) for gpu in range(count)]

    def restore() -> None:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(cpu)
        for gpu, state in enumerate(gpus):
            torch.cuda.set_rng_state(state, gpu)

    return restore


@contextmanager
def generators_restored() -> Iterator[None]:
    """Bring all generators of the process back on leaving, so that everything inside may seed them and draw."""
    restore = keep_generators()
    try:
        yield
    finally:
        restore()
