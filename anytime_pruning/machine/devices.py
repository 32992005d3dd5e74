"""The machine that a run computes on: which device, in which precision, and what makes a process of it fast."""

import torch

from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.machine.memory import keep_freed_memory


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


def prepare_process(device: torch.device, threads: int, gpu_slots: int = 1, deterministic: bool = False) -> None:
    """Prepare the whole process for training on a device.

    Args:
        threads: CPU threads that torch computes with.
        gpu_slots: runs that share one GPU; each may take its share of the memory.
        deterministic: choose only convolution kernels that repeat their bits.
    """
    torch.set_num_threads(threads)
    if device.type == "cuda":
        # float32 means float32: without this, convolutions would round their inputs to TF32's ten bits.
        torch.backends.cudnn.allow_tf32 = False
        # The fastest kernel of a trial need not be the same one in the next run.
        torch.backends.cudnn.benchmark = not deterministic
        torch.backends.cudnn.deterministic = deterministic
        # More runs on one GPU than its memory holds: the one that asks for too much fails, not its neighbours.
        torch.cuda.set_per_process_memory_fraction(1 / gpu_slots, device)
    else:
        keep_freed_memory(True)
