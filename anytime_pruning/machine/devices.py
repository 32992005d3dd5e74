"""Choose the device of a run, and prepare the process for it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.machine.caches import keep_caches_outside
from anytime_pruning.machine.collector import resume_collections
from anytime_pruning.machine.memory import keep_freed_memory
from anytime_pruning.machine.nvidia import has_cuda, has_driver, why_no_cuda

Batch = tuple[Tensor, Tensor]


def choose_device(name: str) -> torch.device:
    """Return the device that a setting names.

    Args:
        name: `cpu`, `cuda`, `cuda:N`, or `auto` for CUDA where the machine has it.

    Raises:
        SettingError: the machine has no such CUDA device, or `auto` would leave a GPU unused because torch and its
            driver do not fit.
    """
    if name == "cpu":
        return torch.device("cpu")
    available = _count_gpus()
    if available == 0 and (reason := why_no_cuda()):
        raise SettingError(f"device: {name!r} is not allowed: {reason}, or use cpu")
    if name == "auto":
        return torch.device("cuda" if available else "cpu")
    device = torch.device(name)
    if (device.index or 0) >= available:
        raise SettingError(
            f"device: {name!r} is not allowed: this machine has {available} CUDA devices; use auto or cpu"
        )
    return device


def _count_gpus() -> int:
    """Return the number of GPUs that torch can use; CUDA starts here if it has not yet started."""
    if has_driver():
        keep_caches_outside()
    return torch.cuda.device_count() if has_cuda() else 0


@contextmanager
def searching_kernels(searches: bool) -> Iterator[None]:
    """Let cuDNN try all kernels for convolutions of a new shape, if the process allows it, or take one without a trial.

    A search takes longer than many steps, so it pays only for a batch size that comes again and again.

    Args:
        searches: whether a search would pay.
    """
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = before and searches
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def searching_for_full(batches: Iterable[Batch], batch_size: int) -> Iterator[Batch]:
    """Yield batches of images and labels, and let cuDNN search kernels only while the caller works on a full one."""
    for batch in batches:
        with searching_kernels(len(batch[0]) == batch_size):
            yield batch


def prepare_process(device: torch.device, threads: int, gpu_slots: int = 1, deterministic: bool = False) -> None:
    """Prepare the whole process for training on a device, which becomes the current one.

    Args:
        device: the device that computes; `cuda` without an index is the current GPU.
        threads: number of CPU threads that torch computes with.
        gpu_slots: number of runs that share one GPU; each run may use an equal share of the GPU's memory.
        deterministic: whether to choose only convolution kernels that repeat their bits.
    """
    resume_collections()
    torch.set_num_threads(threads)
    if device.type == "cuda":
        # Streams, graphs and kernels of triton belong to the current GPU, and a slot may be on any.
        gpu = torch.cuda.current_device() if device.index is None else device.index
        torch.cuda.set_device(gpu)
        # Otherwise float32 convolutions would round their inputs to the ten bits of TF32, and so would matrix products
        # where TORCH_ALLOW_TF32_CUBLAS_OVERRIDE is set, as in NVIDIA's images.
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        # The benchmark picks the kernel that is fastest at the moment, so two runs may get different kernels.
        torch.backends.cudnn.benchmark = not deterministic
        torch.backends.cudnn.deterministic = deterministic
        # If the GPU's memory is too small for all runs, the run that asks for too much fails, and the others go on.
        torch.cuda.set_per_process_memory_fraction(1 / gpu_slots, gpu)
    else:
        keep_freed_memory(True)
