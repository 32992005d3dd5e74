"""The machine that a run computes on: which device, in which precision, and what makes a process of it fast."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from anytime_pruning.foundation.errors import CapacityError, SettingError
from anytime_pruning.settings.run import ExecutionSettings, RunSettings

# The memory that cuBLAS works in decides how it sums.
CUBLAS_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


def choose_device(name: str) -> torch.device:
    """The device of a setting; `auto` is CUDA where there is one.

    Raises:
        SettingError: CUDA is asked for and there is none, or not that one.
    """
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda" if available else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= available:
        raise SettingError(
            f"device: {name!r} is not allowed: this machine has {available} CUDA devices; use auto or cpu"
        )
    return device


def choose_precision(name: str, device: torch.device) -> str:
    """`float32` or `bfloat16`; `auto` is bfloat16 where the device computes with it natively."""
    native = has_native_bfloat16(device)
    if name == "bfloat16" and not native:
        warn(f"precision: bfloat16 is emulated on this {device.type}, which is slower than float32")
    return ("bfloat16" if native else "float32") if name == "auto" else name


def has_native_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies in bfloat16: NVIDIA GPUs since Ampere; processors with AVX512-BF16 or AMX."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # older torch cannot tell
    return any(present is True and name.endswith("bf16") for name, present in capabilities.items())


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Mixed precision on a device: bfloat16 where it helps, float32 weights; `float32` switches it off."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


def prepare_process(device: torch.device, execution: ExecutionSettings) -> None:
    """Settings of the whole process for training on a device."""
    torch.set_num_threads(execution.threads)
    if device.type == "cuda":
        # float32 means float32: without this, convolutions would round their inputs to TF32's ten bits.
        torch.backends.cudnn.allow_tf32 = False
        # The fastest kernel of a trial need not be the same one in the next run.
        torch.backends.cudnn.benchmark = not execution.deterministic
        torch.backends.cudnn.deterministic = execution.deterministic
        # More runs on one GPU than its memory holds: the one that asks for too much fails, not its neighbours.
        torch.cuda.set_per_process_memory_fraction(1 / execution.gpu_slots, device)
    else:
        keep_freed_memory(True)


@contextmanager
def deterministic_algorithms(execution: ExecutionSettings) -> Iterator[None]:
    """With `deterministic: true`, torch takes only algorithms that give the same bits again; afterwards as before.

    To be entered before CUDA starts: cuBLAS reads its variable then, which therefore stays set.

    Raises:
        SettingError: an operation has no such algorithm, or this process has used CUDA without it.
    """
    if not execution.deterministic:
        yield
        return
    if choose_device(execution.device).type == "cuda":
        if torch.cuda.is_initialized() and CUBLAS_WORKSPACE not in os.environ:
            raise SettingError(
                f"deterministic: true is not allowed: this process has used CUDA before; start another, or set "
                f"{CUBLAS_WORKSPACE}=:4096:8 for it"
            )
        os.environ.setdefault(CUBLAS_WORKSPACE, ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    only_warned = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    except RuntimeError as error:
        operation, *rest = str(error).split(" does not have a deterministic implementation")
        if not rest:
            raise
        raise SettingError(
            f"deterministic: true is not allowed: {operation}, which this network needs, has no deterministic form; "
            "set it to false"
        ) from None
    finally:
        torch.use_deterministic_algorithms(before, warn_only=only_warned)


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
def naming_the_setting_to_lower(settings: RunSettings) -> Iterator[None]:
    """Turn an allocation that fails into one line that says what to lower.

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
    raise CapacityError(
        f"out of memory: {settings.model} with batch_size {settings.batch_size} and execution.gpu_slots "
        f"{settings.execution.gpu_slots} does not fit; lower one of the two, or run fewer jobs at once"
    )


def warn(message: str) -> None:
    """One line for a person; the run goes on."""
    print(f"warning: {message}", file=sys.stderr, flush=True)
