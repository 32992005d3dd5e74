"""Replace activations that saturate, so that a flow of large positive numbers passes through them."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

# These are the identity for positive numbers up to a bound, and are the identity for all positive numbers here.
BOUNDED = (F.relu6, F.hardtanh)
# These come ever closer to 1.
SQUASHING = (F.sigmoid, F.hardsigmoid, F.softsign, F.tanh, torch.sigmoid, torch.tanh, Tensor.sigmoid, Tensor.tanh)
CLAMPS = (torch.clamp, torch.clip, Tensor.clamp, Tensor.clip, Tensor.clamp_, Tensor.clip_)


class Unsaturated(TorchFunctionMode):
    """Lets activations pass gradients for positive numbers, however large these are, while the mode is active.

    ReLU6 and other activations that are the identity up to a bound become ReLU. This is exactly what a smaller input
    would show. Others, such as a sigmoid g, keep their values. Where some of these values are exactly 1, so that their
    derivatives are zero, the derivative at x becomes g(x) / x. This is the slope of the straight line from the origin
    through the value. With this slope, an activation passes on as much of the flow as it receives, as every ReLU does.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch, or what replaces it."""
        named = kwargs or {}
        if func in BOUNDED:
            return F.relu(args[0] if args else named["input"])
        if func in CLAMPS:
            return func(*args[:2], **{name: value for name, value in named.items() if name != "max"})
        result = func(*args, **named)
        return _with_secant(args[0] if args else named["input"], result) if func in SQUASHING else result


def _with_secant(x: Tensor, value: Tensor) -> Tensor:
    """Return a value with the derivative value / x where x is positive, if the derivative vanishes anywhere there."""
    positive = x > 0
    if not (positive & (value == 1)).any():
        return value
    slope = value.detach() / torch.where(positive, x.detach(), 1)
    # The difference is zero, so that only the derivative is added.
    return torch.where(positive, value.detach() + slope * (x - x.detach()), value)
