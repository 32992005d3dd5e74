"""Restrict torch to algorithms that give the same bits each time they run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.machine.devices import choose_device

# This variable sets the size of cuBLAS's working memory, and the size decides the order in which cuBLAS adds numbers.
CUBLAS_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


@contextmanager
def deterministic_algorithms(device_name: str, enabled: bool) -> Iterator[None]:
    """Restrict torch to algorithms that repeat their bits, and lift the restriction afterwards.

    Enter this context before CUDA starts, because cuBLAS reads its environment variable at that moment. The variable
    stays set afterwards.

    Args:
        device_name: the setting `execution.device`.
        enabled: the setting `execution.deterministic`; nothing happens if it is false.

    Raises:
        SettingError: an operation has no deterministic algorithm, or this process started CUDA without the variable.
    """
    if not enabled:
        yield
        return
    if choose_device(device_name).type == "cuda":
        _set_cublas_workspace()
    before = torch.are_deterministic_algorithms_enabled()
    only_warned = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    except RuntimeError as error:
        operation, found, _ = str(error).partition(" does not have a deterministic implementation")
        if not found:
            raise
        raise SettingError(
            f"deterministic: true is not allowed: {operation}, which this network needs, has no deterministic form; "
            "set it to false"
        ) from None
    finally:
        torch.use_deterministic_algorithms(before, warn_only=only_warned)


def _set_cublas_workspace() -> None:
    """Fix the size of the memory that cuBLAS works in, which is only possible before CUDA starts."""
    is_started = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]  # torch does not annotate this function
    if is_started and CUBLAS_WORKSPACE not in os.environ:
        raise SettingError(
            f"deterministic: true is not allowed: this process has already used CUDA; start a new one, or set "
            f"{CUBLAS_WORKSPACE}=:4096:8 for it"
        )
    os.environ.setdefault(CUBLAS_WORKSPACE, ":4096:8")
