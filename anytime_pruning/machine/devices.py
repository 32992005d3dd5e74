"""Choose the device of a run, prepare the process for it, and give the process back as it was."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.machine.caches import keep_caches_outside
from anytime_pruning.machine.collector import resume_collections
from anytime_pruning.machine.kernels.float32 import unrounded_float32
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


@contextmanager
def own_settings() -> Iterator[None]:
    """Compute with torch's usual settings, whatever those of the caller are, and restore the caller's on leaving.

    What is set inside, as by `prepare_process`, is restored, too. Only the memory that the C library keeps and the
    collector of garbage stay as `prepare_process` leaves them.

    Raises:
        SettingError: the caller computes in torch.autocast, which keeps rounded weights until its own end.
    """
    depth = torch.autocast_increment_nesting() - 1
    torch.autocast_decrement_nesting()
    if depth:
        raise SettingError(
            "torch.autocast is not allowed around a run, which chooses by the setting precision; call it outside"
        )
    with ExitStack() as stack:
        for restore in (_keep_cpu(), _keep_cudnn(), _keep_gpus()):
            stack.callback(restore)
        # Gradients are wanted inside of inference_mode and no_grad as well, and this leaves both.
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(unrounded_float32())
        torch.set_default_dtype(torch.float32)
        if torch.get_default_device().type != "cpu":
            # The context makes each call of torch slower, so it is entered only where it changes something.
            stack.enter_context(torch.device("cpu"))
        yield


def _keep_cpu() -> Callable[[], None]:
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()

    def restore() -> None:
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)

    return restore


def _keep_cudnn() -> Callable[[], None]:
    benchmark, deterministic = torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic

    def restore() -> None:
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = benchmark, deterministic

    return restore


def _keep_gpus() -> Callable[[], None]:
    """Keep the current GPU and the share of each GPU's memory, which is all of it before CUDA starts."""
    has_begun = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    current, shares = (torch.cuda.current_device(), _memory_shares()) if has_begun else (None, [])

    def restore() -> None:
        if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            return
        for gpu, share in enumerate(_memory_shares()):
            before = shares[gpu] if shares else 1.0
            # Setting a share starts a GPU, so those that the run did not use are left alone.
            if share != before:
                torch.cuda.set_per_process_memory_fraction(before, gpu)
        if current is not None:
            torch.cuda.set_device(current)

    return restore


def _memory_shares() -> list[float]:
    return [torch.cuda.get_per_process_memory_fraction(gpu) for gpu in range(torch.cuda.device_count())]
