"""Count how often a curve over megabatches changes direction after smoothing; a monotonic curve never does.

The curve of one seed is smoothed by a centred moving average over `window_of(T)` megabatches. Only whole windows are
used, so the smoothed curve is shorter. A direction change is counted where the smoothed curve turns and moves back by
at least `THRESHOLD_POINTS`. The threshold excludes the noise of accuracies that are measured on a few hundred
validation images. The mean of the counts over seeds has the interval of `seed_statistics`.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

# The generalization gap is measured in two ways, which are two columns of the collected table `megabatches`.
GAPS = ("generalization_gap_pct", "clean_gap_pct")
THRESHOLD_POINTS = 1.0


def window_of(n_megabatches: int) -> int:
    """Return the number of megabatches in a window: an odd number near a tenth of the stream, but at least 3."""
    return max(3, 2 * (n_megabatches // 20) + 1)


def smooth(curve: ArrayLike, window: int) -> NDArray[np.float64]:
    """Average a curve over a moving window.

    Args:
        curve: [T] values.
        window: number of values that are averaged.

    Returns:
        [T - window + 1] means, of whole windows only.
    """
    return np.convolve(np.asarray(curve, float), np.full(window, 1 / window), mode="valid")


def count_direction_changes(curve: ArrayLike, threshold: float = THRESHOLD_POINTS) -> int:
    """Count how often a curve turns and then moves back by at least `threshold`.

    The first move of at least `threshold` sets the first direction. Smaller moves are ignored.

    Args:
        curve: [T] values.
        threshold: smallest move that counts, in the unit of the curve.
    """
    values = np.asarray(curve, float)
    low = high = values[0]
    direction = changes = 0
    for value in values[1:]:
        low, high = min(low, value), max(high, value)
        if value - low >= threshold and direction <= 0:
            turned = 1
        elif high - value >= threshold and direction >= 0:
            turned = -1
        else:
            continue
        changes += direction != 0
        direction, low, high = turned, value, value
    return int(changes)


def direction_changes(megabatches: pd.DataFrame, keys: list[str], column: str) -> pd.DataFrame:
    """Count the direction changes of a column against t, for each seed.

    Args:
        megabatches: the collected table, one row for each run and megabatch.
        keys: columns whose values, together with the seed, identify one run.
        column: name of a column of numbers.

    Returns:
        One row for each key and seed, with `direction_changes` and `window`.
    """
    rows = []
    for key, run in megabatches.sort_values("t").groupby([*keys, "seed"]):
        window = window_of(len(run))
        changes = count_direction_changes(smooth(run[column], window))
        rows.append(dict(zip([*keys, "seed"], key)) | {"direction_changes": changes, "window": window})
    return pd.DataFrame(rows)
