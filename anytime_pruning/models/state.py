"""Copy the state of a network as tensors alone, and give it back.

A state dict may hold more than tensors: what a module's `get_extra_state` returns, for example. Such a value becomes
JSON in a tensor of bytes, `<name>#json`, and the tensors inside the value become `<name>#json.<number>`.
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from anytime_pruning.foundation.errors import SettingError, message_of, show
from anytime_pruning.foundation.torch_fixes.seeding import generators_restored

JSON_MARK = "#json"
_PLAIN_TYPES = (type(None), bool, int, float, str)


def copy_state(model: nn.Module) -> dict[str, Tensor]:
    """Copy the state of a network: contiguous tensors by name, none of which share memory, on the network's device.

    Raises:
        SettingError: the state holds a value that cannot be stored; the message names it.
    """
    tensors: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        if isinstance(value, Tensor):
            tensors[name] = value.detach().clone().contiguous()
            continue
        inside: list[Tensor] = []
        try:
            text = json.dumps(_to_json(value, inside))
        except TypeError as error:
            raise SettingError(
                f"model: the state {name!r} of this network is not allowed: it holds {error}, which cannot be stored; "
                "allowed are tensors, numbers, texts, bytes, and lists, tuples and dictionaries of them"
            ) from None
        tensors[f"{name}{JSON_MARK}"] = torch.tensor(list(text.encode()), dtype=torch.uint8)
        tensors |= {f"{name}{JSON_MARK}.{i}": tensor.detach().clone().contiguous() for i, tensor in enumerate(inside)}
    return tensors


def restore_state(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a network a state that `copy_state` copied, in place.

    A buffer that a forward pass made or resized is made or resized here as well.

    Raises:
        RuntimeError: the state does not fit the network.
    """
    present = model.state_dict()
    _make_room(model, present, tensors)
    state: OrderedDict[str, Any] = OrderedDict(
        (name.removesuffix(JSON_MARK), _from_json(name, tensors) if name.endswith(JSON_MARK) else tensor)
        for name, tensor in tensors.items()
        if f"{JSON_MARK}." not in name
    )
    # Modules of older versions of a network convert states that carry no version.
    state._metadata = getattr(present, "_metadata", {})  # type: ignore[attr-defined]  # of torch's state dicts
    model.load_state_dict(state, strict=True)


def check_state(model: nn.Module) -> None:
    """Check that the state of a network can be stored and given back, before anything is trained.

    Raises:
        SettingError: it cannot; the message names the tensor or value, or says why.
    """
    for name, tensor in model.state_dict().items():
        if isinstance(tensor, Tensor) and not _is_storable(tensor):
            kind = "quantized" if tensor.is_quantized else f"{tensor.dtype}, {tensor.layout}, on {tensor.device}"
            raise SettingError(f"model: the tensor {name!r} of this network cannot be stored: it is {kind}")
    state = copy_state(model)
    try:
        restore_state(model, state)
    except Exception as error:
        problem = message_of(error)
        raise SettingError(f"model: this network does not load its own state_dict(): {problem}") from None


def _is_storable(tensor: Tensor) -> bool:
    """Return whether safetensors has the tensor's type, and the tensor is an ordinary one."""
    try:
        save({"x": torch.zeros(0, dtype=tensor.dtype)})
    except (KeyError, ValueError, RuntimeError):
        return False
    return tensor.layout == torch.strided and not tensor.is_quantized and not tensor.is_meta


def state_shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size | None]:
    """Return the shape of each tensor of a state by name; values that are no tensors have none."""
    return {
        name: None if JSON_MARK in name else tensor.shape
        for name, tensor in tensors.items()
        if f"{JSON_MARK}." not in name
    }


def state_forms(tensors: Mapping[str, Tensor]) -> dict[str, tuple[torch.Size | None, torch.dtype]]:
    """Return the shape and the type of each tensor of a state by name."""
    return {name: (shape, tensors[name].dtype) for name, shape in state_shapes(tensors).items()}


def make_late_buffers(model: nn.Module, image_shape: tuple[int, int, int]) -> None:
    """Let a network make the buffers that its first forward pass makes, in eval and in train mode.

    Other state of the network may change. A network whose forward pass fails is left as it is then.
    """
    device, was_training = _device(model), model.training
    with generators_restored(), torch.no_grad():
        for mode in (False, True):
            try:
                model.train(mode)(torch.zeros(2, *image_shape, device=device))
            except Exception:
                break
    model.train(was_training)


def _make_room(model: nn.Module, present: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Make the buffers of a state that the network lacks or holds in another shape."""
    for name, wanted in tensors.items():
        found = present.get(name)
        if JSON_MARK in name or (isinstance(found, Tensor) and found.shape == wanted.shape):
            continue
        path, _, last = name.rpartition(".")
        module = dict(model.named_modules()).get(path)
        if module is None:
            continue
        if last in module._buffers:
            module._buffers[last] = torch.empty_like(wanted, device=_device(model))
        elif not hasattr(module, last):
            module.register_buffer(last, torch.empty_like(wanted, device=_device(model)))


def _device(model: nn.Module) -> torch.device:
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def _to_json(value: Any, inside: list[Tensor]) -> Any:
    """Return a value as JSON, and add its tensors to a list, to which the JSON points.

    Raises:
        TypeError: the value is of another type; the message shows it.
    """
    if type(value) in _PLAIN_TYPES:
        return value
    if isinstance(value, Tensor):
        inside.append(value)
        return {"tensor": len(inside) - 1}
    if type(value) is bytes:
        return {"bytes": value.hex()}
    if type(value) in (list, tuple):
        parts = [_to_json(part, inside) for part in value]
        return parts if type(value) is list else {"tuple": parts}
    if type(value) in (dict, OrderedDict):
        return {"dict": [[_to_json(key, inside), _to_json(part, inside)] for key, part in value.items()]}
    raise TypeError(f"{show(value)} of type {type(value).__name__}")


def _from_json(name: str, tensors: Mapping[str, Tensor]) -> Any:
    """Return the value that `_to_json` turned into JSON."""
    read: dict[str, Callable[[Any], Any]] = {
        "tensor": lambda number: tensors[f"{name}.{number}"].clone(),
        "bytes": bytes.fromhex,
        "tuple": lambda parts: tuple(map(turn, parts)),
        "dict": lambda pairs: {turn(key): turn(part) for key, part in pairs},
    }

    def turn(part: Any) -> Any:
        if isinstance(part, list):
            return [turn(inner) for inner in part]
        if isinstance(part, dict):
            ((kind, content),) = part.items()
            return read[kind](content)
        return part

    return turn(json.loads(bytes(tensors[name].tolist())))
