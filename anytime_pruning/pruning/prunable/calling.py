"""Pass images through a network in train mode and in eval mode, and note in which order it calls its layers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anytime_pruning.foundation.errors import SettingError, message_of
from anytime_pruning.foundation.torch_fixes.seeding import seed_generators
from anytime_pruning.machine.memory import is_out_of_memory
from anytime_pruning.machine.preservation import preserved, want_gradients
from anytime_pruning.pruning.prunable.choice import weighted_layers

# Batch norm needs at least two images in train mode.
N_IMAGES = 2


class UnfitOutputError(Exception):
    """Says what a network returned, and what is wanted."""


def layers_as_called(
    model: nn.Module,
    name: str,
    n_classes: int,
    image_shape: tuple[int, int, int],
    check: Callable[[object, int], None] = lambda output, n_images: None,
) -> list[str]:
    """Return the names of the layers that a network uses, in the order in which it calls them; it stays as it is.

    Args:
        model: the network, on any device but `meta`.
        name: name of the network, for messages.
        n_classes: number of logits for each image.
        image_shape: (channels, height, width).
        check: raises `UnfitOutputError` if the network returns anything but logits for a number of images.

    Returns:
        Names in the order of the calls in eval mode. Layers that work only in train mode, and layers whose weights are
        used without a call, come first.

    Raises:
        SettingError: the network fails, or its output does not pass the check.
    """
    images, labels = make_images(model, n_classes, image_shape)
    called: list[str] = []
    with preserved(model):
        seed_generators(0)
        want_gradients(model)
        _note_calls(model, called.append)
        with Refusing(name, "train", images):
            model.train()
            logits = model(images)
            check(logits, N_IMAGES)
            if logits.requires_grad:
                F.cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]
        in_training = set(called) | _with_gradient(model)
        called.clear()
        with Refusing(name, "eval", images), torch.no_grad():
            model.eval()
            check(model(images), N_IMAGES)
    return [*sorted(in_training - set(called)), *called]


def make_images(model: nn.Module, n_classes: int, image_shape: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """Return images for a trial, float32 [N_IMAGES, C, H, W], and their labels, on the device of the network."""
    device = next(model.parameters(), torch.empty(0)).device
    images = torch.rand(N_IMAGES, *image_shape, generator=torch.Generator().manual_seed(0)).to(device)
    return images, torch.arange(N_IMAGES, device=device) % n_classes


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


class Refusing:
    """Turns every error of other people's code into one line that names the network and the mode."""

    def __init__(self, name: str, mode: str, images: Tensor, then: str = ""):
        self._start = f"model: {name!r} is not allowed: its pass of images {list(images.shape)} in {mode} mode{then}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, UnfitOutputError):
            raise SettingError(f"{self._start} returns {error}") from None
        if isinstance(error, Exception) and not is_out_of_memory(error):
            raise SettingError(f"{self._start} raises {type(error).__name__}: {message_of(error)}") from error
