"""Say what is wrong with the tensors that a part of the method returns, which may be a user's own."""

import torch
from torch import Tensor

from anytime_pruning.foundation.errors import show

# Numbers of other types cannot all be compared, sorted and told from what is not a number.
REAL = (
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
)


def describe_misfit(value: object, like: Tensor, dtypes: tuple[torch.dtype, ...] = REAL) -> str | None:
    """Return what a value is, if it is not a dense tensor of another one's shape and device and of an allowed type.

    Args:
        value: what a part returned for a weight.
        like: the weight.
        dtypes: the allowed types.
    """
    if not isinstance(value, Tensor):
        return f"{show(value)} of type {type(value).__name__}"
    if value.shape != like.shape:
        return f"a tensor of shape {list(value.shape)}"
    if value.dtype not in dtypes or value.layout != torch.strided:
        kind = "" if value.layout == torch.strided else f" with the layout {value.layout}"
        return f"a tensor of type {value.dtype}{kind}"
    return None if value.device == like.device else f"a tensor on {value.device}"
