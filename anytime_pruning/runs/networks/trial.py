"""Pass images through a network in train mode and in eval mode, and check what it returns."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anytime_pruning.foundation.errors import SettingError, name_some, show
from anytime_pruning.foundation.torch_fixes.seeding import seed_generators
from anytime_pruning.machine.devices import searching_kernels
from anytime_pruning.machine.memory import working_on
from anytime_pruning.machine.preservation import preserved
from anytime_pruning.models.state import copy_state, restore_state
from anytime_pruning.pruning.prunable import layers_as_called
from anytime_pruning.pruning.prunable.calling import Refusing, UnfitOutputError, make_images
from anytime_pruning.settings.shipped import SHIPPED

# Some kernels of a GPU add numbers in any order.
TOLERANCE = 1e-5


@searching_kernels(False)
@working_on("trial")
def try_out(model: nn.Module, name: str, image_shape: tuple[int, int, int], n_classes: int) -> list[str]:
    """Check that a network maps images to logits and can be trained; the network stays as it is.

    Args:
        model: the network, on the device on which it will be trained.
        name: name of the network, for messages.
        image_shape: (channels, height, width).
        n_classes: number of logits that are wanted for each image.

    Returns:
        Names of the layers that the network uses, in the order of `layers_as_called`.

    Raises:
        SettingError: the network fails, returns anything but finite logits, or trains what its state dict lacks. The
            message says what is wanted.
    """
    in_order = layers_as_called(model, name, n_classes, image_shape, partial(_check_logits, n_classes))
    if name in SHIPPED["model"].names:
        return in_order  # tests have found these networks right, and every run of them would pay for the rest
    images, labels = make_images(model, n_classes, image_shape)
    _check_gradients(model, name, images, labels)
    # The last batch of an evaluation may have one image, and some counts are those of one image.
    with preserved(model), Refusing(name, "eval", images[:1]), torch.no_grad():
        _check_logits(n_classes, model.eval()(images[:1]), 1)
    _check_state_is_all(model, name, images)
    return in_order


def _check_gradients(model: nn.Module, name: str, images: Tensor, labels: Tensor) -> None:
    """Check that a gradient reaches a parameter that is trained."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    with preserved(model), Refusing(name, "train", images):
        seed_generators(0)
        logits = model.train()(images)
        if logits.requires_grad:
            F.cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]
        if all(parameter.grad is None for parameter in trained):
            raise UnfitOutputError(
                "logits that depend on no parameter that can be trained; wanted: a forward pass without "
                "torch.no_grad and detach, and parameters that require a gradient"
            )


def _check_state_is_all(model: nn.Module, name: str, images: Tensor) -> None:
    """Check that the state dict holds all that a pass in train mode changes and that later passes depend on.

    Whatever else a network changes is in no checkpoint and not in the stored weights.
    """
    with preserved(model):
        _logits(model, name, "train", images)
        state = copy_state(model)
        expected = {mode: _logits(model, name, mode, images) for mode in ("eval", "train")}
    with preserved(model):
        with Refusing(name, "train", images, ", or loading the state that it leaves,"):
            restore_state(model, state)
        for mode, logits in expected.items():
            found = _logits(model, name, mode, images)
            margin = TOLERANCE * float(logits.abs().max())
            if not torch.allclose(found, logits, TOLERANCE, margin, equal_nan=True):
                lost = sorted({key for key, _ in model.named_buffers()} - set(model.state_dict()))
                lost = [key for key in lost if not key.startswith("normalize.")]
                raise SettingError(
                    f"model: {name!r} is not allowed: its pass in train mode changes something that its state_dict() "
                    f"lacks and a later pass in {mode} mode uses{f', such as {name_some(lost)}' if lost else ''}; keep "
                    "it in a persistent buffer, and draw random numbers with torch's default generator"
                )


def _logits(model: nn.Module, name: str, mode: str, images: Tensor) -> Tensor:
    """Return the logits of a pass that draws the same numbers each time."""
    seed_generators(0)
    with Refusing(name, mode, images), torch.set_grad_enabled(mode == "train"):
        logits: Tensor = model.train(mode == "train")(images)
        return logits.detach().clone()


def _check_logits(n_classes: int, output: object, n_images: int) -> None:
    wanted = f"wanted: a tensor of logits, [{n_images}, {n_classes}]"
    if not isinstance(output, Tensor):
        raise UnfitOutputError(f"{_describe(output)}; {wanted}; return the logits alone, without auxiliary outputs")
    if list(output.shape) != [n_images, n_classes]:
        raise UnfitOutputError(f"a tensor {list(output.shape)}; {wanted}")
    if not output.is_floating_point():
        raise UnfitOutputError(f"numbers of type {output.dtype}; {wanted} of floating point numbers")
    if not torch.isfinite(output).all():
        raise UnfitOutputError(f"logits that are not finite; {wanted} of finite numbers")


def _describe(output: object) -> str:
    kind = type(output).__name__
    if isinstance(output, Mapping):
        return f"a {kind} with {', '.join(show(key) for key in output)}"
    return f"a {kind} of {len(output)}" if isinstance(output, (tuple, list)) else f"a {kind}"
