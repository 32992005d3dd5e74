"""Pass images through a network in train mode and in eval mode, and check what it returns."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anytime_pruning.foundation.errors import SettingError, name_some, show
from anytime_pruning.foundation.torch_fixes.seeding import seed_generators
from anytime_pruning.machine.devices import searching_kernels
from anytime_pruning.machine.memory import is_out_of_memory, working_on
from anytime_pruning.machine.preservation import preserved, want_gradients
from anytime_pruning.models.state import copy_state, restore_state
from anytime_pruning.pruning.prunable import weighted_layers

# Batch norm needs at least two images in train mode.
N_IMAGES = 2
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
        Names of the layers that the network uses, in the order in which it calls them in eval mode. Layers that work
        only in train mode, and layers whose weights are used without a call, come first.

    Raises:
        SettingError: the network fails, returns anything but finite logits, or trains what its state dict lacks. The
            message says what is wanted.
    """
    device = next(model.parameters(), torch.empty(0)).device
    images = torch.rand(N_IMAGES, *image_shape, generator=torch.Generator().manual_seed(0)).to(device)
    labels = torch.arange(N_IMAGES, device=device) % n_classes
    called: list[str] = []
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    with preserved(model):
        seed_generators(0)
        want_gradients(model)
        _note_calls(model, called.append)
        with _Refusing(name, "train", images):
            model.train()
            logits = model(images)
            _check_logits(logits, N_IMAGES, n_classes)
            if logits.requires_grad:
                F.cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]
            if all(parameter.grad is None for parameter in trainable):
                raise _NoLogitsError(
                    "logits that depend on no parameter that can be trained; wanted: a forward pass without "
                    "torch.no_grad and detach, and parameters that require a gradient"
                )
        in_training = set(called) | _with_gradient(model)
        called.clear()
        with _Refusing(name, "eval", images), torch.no_grad():
            model.eval()
            _check_logits(model(images), N_IMAGES, n_classes)
        in_order = [*sorted(in_training - set(called)), *called]
        # The last batch of an evaluation may have one image, and some counts are those of one image.
        with _Refusing(name, "eval", images[:1]), torch.no_grad():
            _check_logits(model(images[:1]), 1, n_classes)
    _check_state_is_all(model, name, images)
    return in_order


def _check_state_is_all(model: nn.Module, name: str, images: Tensor) -> None:
    """Check that the state dict holds all that a pass in train mode changes and that later passes depend on.

    Whatever else a network changes is in no checkpoint and not in the stored weights.
    """
    with preserved(model):
        _logits(model, name, "train", images)
        state = copy_state(model)
        expected = {mode: _logits(model, name, mode, images) for mode in ("eval", "train")}
    with preserved(model):
        with _Refusing(name, "train", images, ", or loading the state that it leaves,"):
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
                    "it in a persistent buffer, and draw by torch's own generator"
                )


def _logits(model: nn.Module, name: str, mode: str, images: Tensor) -> Tensor:
    """Return the logits of a pass that draws the same numbers each time."""
    seed_generators(0)
    with _Refusing(name, mode, images), torch.set_grad_enabled(mode == "train"):
        logits: Tensor = model.train(mode == "train")(images)
        return logits.detach().clone()


def _note_calls(model: nn.Module, note: Callable[[str], None]) -> None:
    for where, layer in model.named_modules():
        # Hooks of a scripted module are not called.
        if not isinstance(layer, torch.jit.ScriptModule):
            layer.register_forward_pre_hook(partial(_note, note, where))


def _note(note: Callable[[str], None], where: str, layer: nn.Module, inputs: tuple[Any, ...]) -> None:
    note(where)


def _with_gradient(model: nn.Module) -> set[str]:
    """Return the names of the layers whose parameters got a gradient, whether or not the layers were called."""
    return {
        where
        for where, layer in weighted_layers(model).items()
        if any(parameter.grad is not None for parameter in layer.parameters())
    }


class _Refusing:
    """Turns every error of other people's code into one line that names the network and the mode."""

    def __init__(self, name: str, mode: str, images: Tensor, then: str = ""):
        self._start = f"model: {name!r} is not allowed: its pass of images {list(images.shape)} in {mode} mode{then}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, _NoLogitsError):
            raise SettingError(f"{self._start} returns {error}") from None
        if isinstance(error, Exception) and not is_out_of_memory(error):
            text = " ".join(str(error).split())
            raise SettingError(f"{self._start} raises {type(error).__name__}: {text}") from error


class _NoLogitsError(Exception):
    """Says what a network returned, and what is wanted."""


def _check_logits(output: object, n_images: int, n_classes: int) -> None:
    wanted = f"wanted: a tensor of logits, [{n_images}, {n_classes}]"
    if not isinstance(output, Tensor):
        raise _NoLogitsError(f"{_describe(output)}; {wanted}; return the logits alone, without auxiliary outputs")
    if list(output.shape) != [n_images, n_classes]:
        raise _NoLogitsError(f"a tensor {list(output.shape)}; {wanted}")
    if not output.is_floating_point():
        raise _NoLogitsError(f"numbers of type {output.dtype}; {wanted} of floating point numbers")
    if not torch.isfinite(output).all():
        raise _NoLogitsError(f"logits that are not finite; {wanted} of finite numbers")


def _describe(output: object) -> str:
    kind = type(output).__name__
    if isinstance(output, Mapping):
        return f"a {kind} with {', '.join(show(key) for key in output)}"
    return f"a {kind} of {len(output)}" if isinstance(output, (tuple, list)) else f"a {kind}"
