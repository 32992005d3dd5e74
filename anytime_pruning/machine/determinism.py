"""Restrict torch to algorithms that give the same bits again."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.machine.devices import choose_device

# The memory that cuBLAS works in decides how it sums.
CUBLAS_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


@contextmanager
def deterministic_algorithms(device_name: str, enabled: bool) -> Iterator[None]:
    """Restrict torch to algorithms that repeat their bits, and lift the restriction afterwards.

    Enter this before CUDA starts: cuBLAS reads its environment variable then, so the variable stays set.

    Args:
        device_name: the setting `execution.device`.
        enabled: the setting `execution.deterministic`; without it nothing happens.

    Raises:
        SettingError: an operation has no such algorithm, or this process has used CUDA without it.
    """
    if not enabled:
        yield
        return
    if choose_device(device_name).type == "cuda":
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
