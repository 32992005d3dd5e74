"""Compute gradients for pruners, and say in one line what a network lacks for them."""

import re
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from anytime_pruning.foundation.errors import SettingError

# What torch says where a second derivative is missing; the name of the operation, if there is one, is the first group.
_NO_SECOND_DERIVATIVE = re.compile(
    r"derivative for '?(?:aten::)?(\w+)'? is not implemented|differentiate twice|once_differentiable|double backward"
)


def logits_of(model: nn.Module, images: Tensor) -> Tensor:
    """Return the output of a network for images [B, C, H, W].

    Raises:
        SettingError: the output is not a tensor.
    """
    logits = model(images)
    if not isinstance(logits, Tensor):
        raise SettingError(
            f"model: a network that returns a {type(logits).__name__} is not allowed; wanted: a tensor of logits, "
            "without auxiliary outputs"
        )
    return logits


def gradients(compute: Callable[[], Tensor], weights: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return the gradients of a number with respect to weights; weights that it does not depend on get zeros.

    Args:
        compute: computes the number by a forward pass.
        weights: leaf tensors that require a gradient.
    """
    value = compute()
    if not value.requires_grad:
        return tuple(torch.zeros_like(weight) for weight in weights)
    try:
        return torch.autograd.grad(value, weights, allow_unused=True, materialize_grads=True)
    except RuntimeError as error:
        if "checkpoint" not in str(error):
            raise
    # Re-entrant checkpoints know only gradients that are gathered in the parameters.
    for weight in weights:
        weight.grad = None
    compute().backward()  # type: ignore[no-untyped-call]
    found = tuple(torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights)
    for weight in weights:
        weight.grad = None
    return found


def check_second_derivative(first: Iterable[Tensor]) -> None:
    """Check that gradients, which were computed with their graph, can be differentiated once more.

    torch notices a custom function without a second derivative only where a derivative ends behind the function, and
    otherwise leaves out a part of the derivative silently.

    Raises:
        RuntimeError: a custom function has no second derivative; the text is torch's own.
    """
    waiting, seen = [gradient.grad_fn for gradient in first], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name() == "torch::autograd::Error":
            raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")
        waiting += [following for following, _ in node.next_functions]


def lacks_second_derivative(error: RuntimeError, pruner: str) -> SettingError | None:
    """Return an error that names the operation without a second derivative, or None for another kind of error."""
    text = str(error)
    if "checkpoint" in text:
        what = "re-entrant checkpoints have none; call torch.utils.checkpoint.checkpoint with use_reentrant=False"
    elif found := _NO_SECOND_DERIVATIVE.search(text):
        name = (found[1] or "").removesuffix("_backward")
        what = f"torch has none of {name or 'an operation of the network'}; replace it in the network"
    else:
        return None
    return SettingError(
        f"pruner: {pruner} needs second derivatives, and {what}, or choose another pruner, such as snip"
    )
