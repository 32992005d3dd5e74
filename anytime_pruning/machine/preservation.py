"""Protect a network from changes while a program tries it out or scores its weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from anytime_pruning.foundation.torch_fixes.seeding import keep_generators

# The content of these attributes is restored as well: torch keeps parameters, buffers and hooks in dictionaries.
_CONTAINERS = (dict, list, set)


@contextmanager
def preserved(model: nn.Module) -> Iterator[None]:
    """Restore the network and all random states on leaving, so that everything inside may change both freely.

    A network is restored whatever happened inside: values, types and gradients of its parameters, its buffers, its
    modes, its hooks and the other attributes of its modules. Only values inside of objects of other classes, such as
    a list in a list, stay as they are then. Parameters of a lazy layer that were made inside stay, too.
    """
    snapshot = Snapshot(model)
    try:
        with torch.enable_grad():
            yield
    finally:
        snapshot.restore()


class Snapshot:
    """Holds the state of a network and all random states, so that both can be brought back to this moment.

    Args:
        model: the network; `preserved` says what of it is restored.
        others: tensors outside of the network that are restored as well.
        on_host: whether values are kept in the memory of the machine, where they take none of a GPU's.
    """

    def __init__(self, model: nn.Module, others: Iterable[Tensor] = (), on_host: bool = False):
        self._modules = [_ModuleState(module) for module in model.modules()]
        self._tensors = [_TensorState(tensor, on_host) for tensor in (*_tensors_of(model), *others)]
        self._restore_generators = keep_generators()

    def restore(self) -> None:
        """Bring the network, the other tensors and all random states back."""
        self._restore_generators()
        for module in self._modules:
            module.restore()
        for tensor in self._tensors:
            tensor.restore()


def _tensors_of(model: nn.Module) -> list[Tensor]:
    """Return every parameter, buffer and tensor attribute of a network once."""
    found: dict[int, Tensor] = {}
    for module in model.modules():
        attributes = [] if _is_scripted(module) else [a for a in vars(module).values() if isinstance(a, Tensor)]
        for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False), *attributes):
            if not is_lazy(tensor):
                found.setdefault(id(tensor), tensor)
    return list(found.values())


def _is_scripted(module: nn.Module) -> bool:
    return isinstance(module, torch.jit.ScriptModule)


class _ModuleState:
    """Holds the attributes of one module, without its children's."""

    def __init__(self, module: nn.Module):
        self._module, self._training = module, module.training
        self._attributes: dict[str, Any] = {} if _is_scripted(module) else dict(vars(module))
        held = {name: value for name, value in self._attributes.items() if isinstance(value, _CONTAINERS)}
        self._contents = {name: value.copy() for name, value in held.items()}

    def restore(self) -> None:
        """Give the module its attributes back, and its containers their content."""
        if not self._attributes:
            self._module.training = self._training
            return
        for name, content in self._contents.items():
            container = self._attributes[name]
            container.clear()
            container.extend(content) if isinstance(container, list) else container.update(content)
        vars(self._module).clear()
        vars(self._module).update(self._attributes)


class _TensorState:
    """Holds the values of one tensor, and for a parameter its gradient as well."""

    def __init__(self, tensor: Tensor, on_host: bool):
        self.tensor, self._data = tensor, tensor.data
        self._values = tensor.detach().to("cpu" if on_host else tensor.device, copy=True)
        self._is_leaf, self._wants_gradient = tensor.is_leaf, tensor.requires_grad
        self._gradient = tensor.grad if tensor.is_leaf else None

    def restore(self) -> None:
        """Give the tensor its memory, its values and its gradient back."""
        self.tensor.data = self._data
        with torch.no_grad():
            self._data.copy_(self._values)
        if self._is_leaf:
            self.tensor.grad = self._gradient
            self.tensor.requires_grad_(self._wants_gradient)


def want_gradients(model: nn.Module) -> None:
    """Drop all gradients, and let every floating point parameter require one, so that frozen weights can be scored."""
    for parameter in model.parameters():
        parameter.grad = None
        if parameter.is_floating_point() or parameter.is_complex():
            parameter.requires_grad_(True)
