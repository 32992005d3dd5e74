"""Choose the precision of a run, and compute in bfloat16 on every device.

Mixed precision is torch's autocast. On a processor for which the library of kernels, oneDNN, has none for bfloat16, it
takes a reference implementation that is more than ten times slower than float32. There, products are computed by the
kernels of float32 from operands that are rounded to bfloat16, and the result is rounded, too. That is what a kernel for
bfloat16 computes, since it sums in float32; only the order of the sums differs.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from anytime_pruning.foundation.console import warn

# These variables forbid oneDNN, which convolves for torch, instructions newer than they name. Older ones lack bfloat16.
ONEDNN_LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
WITHOUT_AVX512 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2")
WITHOUT_BFLOAT16 = (*WITHOUT_AVX512, "AVX512_CORE", "AVX512_CORE_VNNI")
# What autocast computes in bfloat16 on a CPU. A function that is missing here computes the same, but slowly.
PRODUCTS: frozenset[Callable[..., Any]] = frozenset(
    {
        *(torch.conv1d, torch.conv2d, torch.conv3d),
        *(torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d),
        *(F.linear, F.scaled_dot_product_attention),
        *(torch.matmul, torch.mm, torch.bmm, torch.addmm, torch.addbmm, torch.baddbmm),
        *(Tensor.matmul, Tensor.mm, Tensor.bmm, Tensor.addmm, Tensor.addbmm, Tensor.baddbmm),
    }
)


def choose_precision(name: str, device: torch.device) -> str:
    """Return `float32` or `bfloat16`, and warn where bfloat16 would be slow.

    Args:
        name: `float32`, `bfloat16`, or `auto` for bfloat16 where the device supports bfloat16 natively.
        device: the device that computes.
    """
    native = has_native_bfloat16(device)
    if name == "bfloat16" and not native:
        warn(f"precision: bfloat16 is emulated on this {device.type}, which is slower than float32")
    return ("bfloat16" if native else "float32") if name == "auto" else name


def has_native_bfloat16(device: torch.device) -> bool:
    """Return whether the device multiplies in bfloat16: NVIDIA GPUs since Ampere, CPUs with AVX512-BF16 or AMX."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    names = [name for name, present in _instructions().items() if present is True]
    return onednn_limit() not in WITHOUT_BFLOAT16 and any(name.endswith("bf16") for name in names)


def onednn_limit() -> str:
    """Return the newest instructions that the user allows oneDNN, by its own name, or an empty text for all."""
    return next((os.environ[name].upper() for name in ONEDNN_LIMITS if os.environ.get(name)), "")


@contextmanager
def autocast(device: torch.device, precision: str) -> Iterator[None]:
    """Make a context that computes in mixed precision.

    Args:
        device: the device that computes.
        precision: `bfloat16` computes in bfloat16 where torch finds it accurate enough and keeps weights in float32;
            `float32` changes nothing.
    """
    is_mixed = precision == "bfloat16"
    emulation = _ProductsInFloat32() if is_mixed and not has_bfloat16_kernels(device) else nullcontext()
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=is_mixed), emulation:
        yield


def has_bfloat16_kernels(device: torch.device) -> bool:
    """Return whether convolutions in bfloat16 have fast kernels: those for AVX512 need no instructions for bfloat16."""
    has_avx512 = _instructions().get("avx512_bw") is True and onednn_limit() not in WITHOUT_AVX512
    return device.type != "cpu" or has_avx512 or has_native_bfloat16(device)


def _instructions() -> Mapping[str, object]:
    """Return what torch knows of the processor; older versions of torch know nothing."""
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return capabilities


class _ProductsInFloat32(TorchFunctionMode):
    """Computes products, forward and backward, by kernels for float32 with the roundings of bfloat16."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        # Like autocast, this leaves a product alone that writes into a tensor of the caller.
        if func not in PRODUCTS or "out" in named or not _is_mixing() or _is_left_alone(args, named):
            return func(*args, **named)
        with torch.autocast("cpu", enabled=False):
            args, named = pytree.tree_map_only(Tensor, _rounded, (args, named))
            return func(*args, **named).bfloat16()


def _is_mixing() -> bool:
    """Return whether autocast to bfloat16 is on: a network may switch it off for a part of itself."""
    return torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16


def _is_left_alone(*operands: Any) -> bool:
    """Return whether an operand has a type that autocast does not cast, such as float64 or an integer."""
    return any(
        tensor.dtype not in (torch.float32, torch.bfloat16, torch.float16, torch.bool)
        for tensor in pytree.tree_leaves(operands)
        if isinstance(tensor, Tensor)
    )


def _rounded(operand: Tensor) -> Tensor:
    """Return an operand in float32 with the values that it has in bfloat16; a mask of attention may be boolean."""
    return operand if operand.dtype == torch.bool else operand.bfloat16().float()
