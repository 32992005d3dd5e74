"""Keep freed memory in the process, and turn a failed allocation into an error of one line."""

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from anytime_pruning.foundation.errors import ArtifactError, CapacityError, causes

# These numbers name the options of mallopt in glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
# Failed allocations without a class of their own: of torch on a CPU; of CUDA, its driver and Triton beside torch's
# memory; of CUDA's libraries, such as CUBLAS_STATUS_ALLOC_FAILED and cuDNN's ..._DEVICE_ALLOCATION_FAILED.
FAILED_ALLOCATIONS = ("can't allocate memory", "out of memory", "_ALLOC_FAILED", "_ALLOCATION_FAILED")
# torch tries cuDNN's ways to compute a convolution, skips each whose memory it is refused, and says no more than this
# in the end (pytorch/pytorch#108645). It says the same where a GPU or an installation has no way at all.
NO_WAY_LEFT = "unable to find an engine"
# The attribute of an error that names the work which needed the memory.
NEEDED_BY = "needed_by"


def keep_freed_memory(keep: bool) -> None:
    """Tell the C library whether to keep freed memory or to give it back to the system.

    Every training step frees its activations. If their memory is given back, the next step has to request and
    clear each page again, which costs 4 to 14 % of the training time on a CPU. Only glibc has this switch; with other C
    libraries nothing happens.

    Args:
        keep: true keeps the memory; false sets the limits that glibc itself adopts in a process that frees large
            blocks.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1 if keep else 2**26)
    mallopt(M_MMAP_THRESHOLD, 2**25)
    mallopt(M_MMAP_MAX, 0 if keep else 2**16)


def is_out_of_memory(error: BaseException, handled: BaseException | None = None) -> bool:
    """Return whether an error is a failed allocation of the device or of the machine, or was raised because of one.

    Args:
        error: the error.
        handled: an error that was being handled before the failed work began; it does not count.
    """
    return any(map(_is_failed_allocation, causes(error, handled)))


def _is_failed_allocation(error: BaseException) -> bool:
    if not isinstance(error, RuntimeError):
        return isinstance(error, MemoryError)
    text = str(error)
    if NO_WAY_LEFT in text.lower():
        # What was skipped leaves this count of the current GPU, which is missing as long as CUDA has not started.
        return bool(torch.cuda.memory_stats().get("num_ooms"))
    return isinstance(error, torch.OutOfMemoryError) or any(failed in text for failed in FAILED_ALLOCATIONS)


@contextmanager
def working_on(work: str) -> Iterator[None]:
    """Note on a failed allocation what needed the memory, for `out_of_memory_as_capacity_error`.

    Args:
        work: name of the work; of several that enclose each other, the innermost counts.
    """
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error) and not hasattr(error, NEEDED_BY):
            setattr(error, NEEDED_BY, work)
        raise


@contextmanager
def out_of_memory_as_capacity_error(advise: Callable[..., str]) -> Iterator[None]:
    """Turn a failed allocation into an error of one line.

    Args:
        advise: returns the text with which the message ends: what does not fit, and which settings to change. It gets
            the name that `working_on` noted, if any, as its argument `work`.

    Raises:
        CapacityError: the memory of the device or of the machine is too small.
    """
    handled = sys.exception()
    try:
        yield
    except ArtifactError:
        raise
    except Exception as error:
        if not is_out_of_memory(error, handled):
            raise
        noted = {"work": getattr(error, NEEDED_BY)} if hasattr(error, NEEDED_BY) else {}
    else:
        return
    # The error is raised outside the handlers, so that the failed allocation's traceback keeps no tensors alive.
    raise CapacityError(f"out of memory: {advise(**noted)}")
