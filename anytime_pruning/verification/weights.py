"""Check that the stored weights of a run agree with the counts in its tables."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize

from anytime_pruning.foundation.errors import DataError
from anytime_pruning.results import layout
from anytime_pruning.verification.findings import Finding, problem
from anytime_pruning.verification.stored_run import Rows

# The types of safetensors that NumPy has, too: F32 is <f4, for example.
_TYPES = {
    name: f"<{name[0].lower()}{int(name[1:]) // 8}"
    for name in ("F16", "F32", "F64", "I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64", "C64")
} | {"BOOL": "?"}


def check_weights(path: Path, rows: Rows) -> Iterator[Finding]:
    """Compare the weights that are not zero with the last rows of layers.csv, and find values that are not numbers.

    Args:
        path: path of the weights.
        rows: tables of the run.

    Yields:
        Problems of the file of weights.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        stored = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: not readable ({error})") from None
    weights = {name: _numbers(tensor["dtype"], tensor["data"]) for name, tensor in stored}
    for name, array in weights.items():
        if not np.isfinite(array).all():
            yield problem(f"{name} has values that are not numbers", layout.WEIGHTS)
    for row in rows.layers_at(rows.megabatches[-1].t):
        array = weights.get(row.layer, np.empty(0))
        kept, total = int(np.count_nonzero(array)), array.size
        if (kept, total) != (row.kept, row.total):
            yield problem(
                f"{row.layer}: {kept} of {total} weights are not zero, but layers.csv says {row.kept} of {row.total}",
                layout.WEIGHTS,
            )


def _numbers(kind: str, data: bytes) -> NDArray[Any]:
    """Return the numbers of a tensor, or others that are zero and are not finite in the same places.

    Args:
        kind: type of the tensor in safetensors' words; of a type that is not known here, the bytes are returned.
        data: the numbers in the order of the tensor.
    """
    if kind in _TYPES:
        return np.frombuffer(data, _TYPES[kind])
    if kind == "BF16":  # the upper half of a float32
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
    array = np.frombuffer(data, "u1")
    if kind == "F8_E5M2":  # the upper half of a float16
        return (array.astype("<u2") << 8).view("<f2")
    if kind == "F8_E4M3":  # has no infinity; all bits but the sign are set in what is not a number
        return np.where(array & 0x7F == 0x7F, np.nan, array & 0x7F)
    return array
