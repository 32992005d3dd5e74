"""Keep freed memory in the process, and turn a failed allocation into one line."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from anytime_pruning.foundation.errors import CapacityError


def keep_freed_memory(keep: bool) -> None:
    """Whether the C library keeps memory that is freed, instead of giving it back to the system.

    Every step frees its activations; given back, each page has to be faulted in and cleared again by the next step,
    which costs 4 to 14 % of the training time on a CPU. Only glibc has the switch; elsewhere nothing happens.
    `keep` False is what glibc arrives at by itself in a process that frees large blocks.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    trim_threshold, mmap_threshold, mmap_max = -1, -3, -4  # numbers of the options in malloc.h
    mallopt(trim_threshold, 2**31 - 1 if keep else 2**26)
    mallopt(mmap_threshold, 2**25)
    mallopt(mmap_max, 0 if keep else 2**16)


@contextmanager
def out_of_memory_as_capacity_error(advice: str) -> Iterator[None]:
    """Turn a failed allocation into one line.

    Args:
        advice: what does not fit and which settings to lower; the message ends with it.

    Raises:
        CapacityError: the device's or the machine's memory does not suffice.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError):
        pass
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
    else:
        return
    raise CapacityError(f"out of memory: {advice}")
