"""Check that the stored weights of a run agree with the counts in its tables."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from anytime_pruning.foundation.errors import DataError
from anytime_pruning.results import layout
from anytime_pruning.verification.findings import Finding, problem
from anytime_pruning.verification.stored_run import Rows


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
        weights: dict[str, NDArray[Any]] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: not readable ({error})") from None
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
