"""Compute products of float32 in float32, whatever the process was told before."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch

# What torch may round to fewer bits before it multiplies: products of matrices, convolutions and recurrent layers.
_ROUNDING: tuple[Any, ...] = (
    torch.backends.cuda.matmul,
    torch.backends.cudnn.conv,  # type: ignore[attr-defined]  # torch annotates none of its precisions
    torch.backends.cudnn.rnn,
    torch.backends.mkldnn.matmul,  # type: ignore[attr-defined]
    torch.backends.mkldnn.conv,  # type: ignore[attr-defined]
    torch.backends.mkldnn.rnn,  # type: ignore[attr-defined]
)
_UNROUNDED = ("none", "ieee")


@contextmanager
def unrounded_float32() -> Iterator[None]:
    """Let torch round no float32 before it multiplies, and restore the precisions of the caller afterwards."""
    places = [(place, place.fp32_precision) for place in _ROUNDING]
    for_matrices, for_convolutions = None, None
    # The two older names of these precisions cannot be read if somebody used both them and the new ones.
    with suppress(RuntimeError):
        for_matrices = torch.get_float32_matmul_precision()
    with suppress(RuntimeError):
        for_convolutions = torch.backends.cudnn.allow_tf32
    if for_matrices != "highest":
        torch.set_float32_matmul_precision("highest")
    if for_convolutions is not False:
        torch.backends.cudnn.allow_tf32 = False
    for place in _ROUNDING:
        if place.fp32_precision not in _UNROUNDED:
            place.fp32_precision = "ieee"
    try:
        yield
    finally:
        if for_matrices is not None:
            torch.set_float32_matmul_precision(for_matrices)
        if for_convolutions is not None:
            torch.backends.cudnn.allow_tf32 = for_convolutions
        for place, precision in places:
            if place.fp32_precision != precision:
                place.fp32_precision = precision
