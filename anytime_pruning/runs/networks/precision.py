"""Choose the precision of a run by what its network can do."""

import torch
from torch import nn

from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.errors import SettingError, message_of
from anytime_pruning.foundation.torch_fixes.seeding import seed_generators
from anytime_pruning.machine.devices import searching_kernels
from anytime_pruning.machine.kernels.bfloat16 import autocast, choose_precision
from anytime_pruning.machine.memory import is_out_of_memory, working_on
from anytime_pruning.machine.preservation import preserved


def choose_network_precision(model: nn.Module, asked: str, name: str, image_shape: tuple[int, int, int]) -> str:
    """Return `float32` or `bfloat16`: what is asked, or for `auto` the faster one in which the network computes.

    Mixed precision gives a network feature maps of another type than its weights, and other people's code may not
    expect that. A forward and a backward pass in train mode and a forward pass in eval mode show whether it does.

    Args:
        model: the network, on the device on which it will be trained; it stays as it is.
        asked: the setting `precision`.
        name: name of the network, for messages.
        image_shape: (channels, height, width).

    Raises:
        SettingError: bfloat16 is asked for, and the network fails in it.
    """
    device = next(model.parameters(), torch.empty(0)).device
    precision = choose_precision(asked, device)
    if precision == "float32":
        return precision
    problem = _problem(model, torch.rand(2, *image_shape, device=device, generator=torch.Generator(device)), precision)
    if problem is None:
        return precision
    if asked != "auto":
        raise SettingError(
            f"precision: {asked!r} is not allowed with this network: {name} fails in it ({problem}); use float32"
        )
    warn(f"precision: {name} fails in {precision} and computes in float32 ({problem})")
    return "float32"


@searching_kernels(False)
@working_on("trial")
def _problem(model: nn.Module, images: torch.Tensor, precision: str) -> str | None:
    """Return what a network raises in a precision, or None if it computes."""
    try:
        with preserved(model):
            seed_generators(0)
            with autocast(images.device, precision):
                logits = model.train()(images)
            if logits.requires_grad:
                torch.autograd.backward(logits.float().square().sum())
            with autocast(images.device, precision), torch.no_grad():
                model.eval()(images)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return message_of(error)
    return None
