"""Measure a machine's fastest matrix product and memory copy, and count the operations that a network needs."""

import statistics
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode


def gemm_flops_per_s(device: torch.device, dtype: torch.dtype, repeats: int = 5) -> float:
    """Return the FLOP/s of a product of square matrices, which are 2048 wide on a CPU and 8192 wide on a GPU."""
    n = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    return 2 * n**3 / median_seconds(lambda: a @ b, device, repeats)


def copy_bytes_per_s(device: torch.device, repeats: int = 5) -> float:
    """Return the bytes read and written per second while copying 256 MB."""
    source = torch.zeros(64 << 20, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / median_seconds(lambda: target.copy_(source), device, repeats)


def training_flops(model: nn.Module, image_shape: tuple[int, int, int], batch_size: int) -> float:
    """Return the multiplications and additions of one training step per sample, as torch counts them.

    Args:
        model: the network, of which torch counts convolutions and matrix products.
        image_shape: (channels, height, width).
        batch_size: number of samples in the step.
    """
    model.train()
    device = next(model.parameters()).device
    images = torch.rand(batch_size, *image_shape, device=device)
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(model(images), torch.zeros(batch_size, dtype=torch.int64, device=device)).backward()
    model.zero_grad(set_to_none=True)
    return counter.get_total_flops() / batch_size


def synchronize(device: torch.device) -> None:
    """Wait until a device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def median_seconds(work: Callable[[], object], device: torch.device, repeats: int = 3) -> float:
    """Return the median time of a function in seconds, after a first call that is not measured."""
    work()
    seconds = []
    for _ in range(repeats):
        synchronize(device)
        started = time.perf_counter()
        work()
        synchronize(device)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
