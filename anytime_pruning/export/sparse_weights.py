"""Pack weights with many zeros into a small safetensors file: the kept values of each pruned weight and a bit mask.

The file is exact to the bit, so the loaded network equals the trained network. The network does not become faster.
"""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, NonNegativeInt, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from anytime_pruning.foundation.errors import DataError, message_of

# Numbers of these types are handled as integers of the same size, so that nothing is ever rounded.
_INTEGERS = {
    torch.float16: torch.int16,
    torch.bfloat16: torch.int16,
    torch.float32: torch.int32,
    torch.float64: torch.int64,
}
# The metadata has only one key, because safetensors promises no order of keys, and equal weights must give equal files.
_METADATA_KEY = "anytime_pruning_sparse"


class _Contents(BaseModel):
    """Holds the file's metadata: every name in the order of the state dict, and the shape of each sparse weight."""

    version: Literal[1] = 1
    tensors: list[tuple[str, tuple[NonNegativeInt, ...] | None]]


def pack(state: Mapping[str, Tensor], prunable: Iterable[str]) -> bytes:
    """Pack a state dict into the bytes of a safetensors file in which each zero of a prunable weight takes one bit.

    `dense/<name>` holds an unchanged tensor. A sparse weight is stored as two or three tensors. `values/<name>` holds
    the numbers that are not zero, in order. `mask/<name>` holds one bit for each number, first bit highest, which is
    set if the number is not zero. `signs/<name>` holds one bit for each zero, which is set if the zero is negative, as
    a negative weight times a mask of 0 is. A weight without negative zeros has no `signs/<name>`.

    Args:
        state: tensors of any shape by name.
        prunable: names of the weights to store sparsely; a weight that would not become smaller is stored densely.

    Returns:
        The content of the file.

    Raises:
        ValueError: a prunable name is not in the state dict.
    """
    prunable = set(prunable)
    if unknown := prunable - set(state):
        raise ValueError(f"prunable: {', '.join(sorted(unknown))} not in the state dict")
    stored: dict[str, Tensor] = {}
    contents: list[tuple[str, tuple[int, ...] | None]] = []
    for name, tensor in state.items():
        # Tensors are copied, because safetensors refuses tensors that share memory, as tied weights do.
        tensor = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        parts = _split(tensor) if name in prunable and tensor.dtype in _INTEGERS else {}
        is_sparse = bool(parts) and sum(part.nbytes for part in parts.values()) < tensor.nbytes
        contents.append((name, tuple(tensor.shape) if is_sparse else None))
        stored |= {f"{kind}/{name}": part for kind, part in (parts if is_sparse else {"dense": tensor}).items()}
    return save(stored, {_METADATA_KEY: _Contents(tensors=contents).model_dump_json()})


def unpack(data: bytes) -> dict[str, Tensor]:
    """Unpack the state dict that `pack` packed, in the same order and equal to the bit.

    Args:
        data: content of a file that `pack` made.

    Raises:
        DataError: the bytes are not a file of `pack`, or are damaged.
    """
    try:
        stored = load(data)
        contents = _Contents.model_validate_json(_metadata(data)[_METADATA_KEY])
    except SafetensorError as error:
        raise DataError(f"sparse weights: not a safetensors file: {message_of(error)}") from None
    except KeyError as error:
        raise DataError(f"sparse weights: not a file of kept values and masks: {error} is missing") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"sparse weights: metadata not understood: {where}: {first['msg']}") from None
    state = {}
    for name, shape in contents.tensors:
        try:
            state[name] = stored.pop(f"dense/{name}") if shape is None else _join(stored, name, shape)
        except KeyError as error:
            raise DataError(f"sparse weights: damaged: {error.args[0]} is missing") from None
    if stored:
        raise DataError(f"sparse weights: damaged: {min(stored)} belongs to no weight")
    return state


def is_packed(data: bytes) -> bool:
    """Return whether `pack` made a file, by its metadata, because a file without sparse weights looks like any other.

    Args:
        data: content of a safetensors file.
    """
    return _METADATA_KEY in _metadata(data)


def _metadata(data: bytes) -> dict[str, str]:
    """Read the metadata of a safetensors file: eight bytes hold the length of the header that follows."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    metadata: dict[str, str] = header.get("__metadata__", {})
    return metadata


def _split(tensor: Tensor) -> dict[str, Tensor]:
    """Split a weight into values, mask and, if any zero is negative, the signs of its zeros."""
    bits = tensor.flatten().view(_INTEGERS[tensor.dtype])
    kept = (bits << 1) != 0  # The shift removes the sign.
    parts = {"values": bits[kept].view(tensor.dtype), "mask": _pack_bits(kept)}
    negative_zeros = bits[~kept] != 0
    return parts | ({"signs": _pack_bits(negative_zeros)} if negative_zeros.any() else {})


def _join(stored: dict[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    """Join the parts of one weight, and remove these parts from `stored`."""
    values, mask = stored.pop(f"values/{name}"), stored.pop(f"mask/{name}")
    count = math.prod(shape)
    if values.dtype not in _INTEGERS or values.dim() != 1:
        raise DataError(f"sparse weights: damaged: values/{name} is not a list of floating point numbers")
    kept = _unpack_bits(mask, count, f"mask/{name}")
    if int(kept.sum()) != len(values):
        raise DataError(f"sparse weights: damaged: mask/{name} keeps {int(kept.sum())} values, not {len(values)}")
    integers = _INTEGERS[values.dtype]
    bits = torch.zeros(count, dtype=integers)
    if f"signs/{name}" in stored:
        negative = _unpack_bits(stored.pop(f"signs/{name}"), count - len(values), f"signs/{name}")
        bits[~kept] = negative.to(integers) * torch.iinfo(integers).min
    bits[kept] = values.view(integers)
    return bits.view(values.dtype).view(shape)


def _pack_bits(flags: Tensor) -> Tensor:
    return torch.from_numpy(np.packbits(flags.numpy()))


def _unpack_bits(packed: Tensor, count: int, name: str) -> Tensor:
    if packed.dtype != torch.uint8 or packed.shape != (-(-count // 8),):
        raise DataError(f"sparse weights: damaged: {name} does not hold {count} bits")
    return torch.from_numpy(np.unpackbits(packed.numpy(), count=count)).bool()
