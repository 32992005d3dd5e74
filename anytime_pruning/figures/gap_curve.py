"""Whether a curve over megabatches is monotonic: its direction changes after smoothing. No plotting.

The statistic: the curve of one seed is smoothed by a centred moving average over `window_of(T)` megabatches (only
whole windows, so it gets shorter), and a direction change is counted where it then turns and moves back by at least
`THRESHOLD_POINTS`. A monotonic curve has none. The threshold keeps out the noise of accuracies that are measured on
some hundred validation images. Its mean over seeds comes with the interval of `seed_statistics`.
"""

import numpy as np
import pandas as pd

THRESHOLD_POINTS = 1.0


def window_of(n_megabatches: int) -> int:
    """Megabatches that are averaged: an odd number near a tenth of the stream, at least 3."""
    return max(3, 2 * (n_megabatches // 20) + 1)


def smooth(curve, window: int) -> np.ndarray:
    """Centred moving average, whole windows only: `len(curve) - window + 1` values."""
    return np.convolve(np.asarray(curve, float), np.full(window, 1 / window), mode="valid")


def count_direction_changes(curve, threshold: float = THRESHOLD_POINTS) -> int:
    """How often a curve turns and then moves back by at least `threshold`, in the curve's unit.

    The first direction is that of the first such move; smaller wiggles are passed over.
    """
    low = high = curve[0]
    direction = changes = 0
    for value in curve[1:]:
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
    """Direction changes of a column against t, for each seed.

    Returns:
        One row for each of the keys and seeds, with `direction_changes` and `window`.
    """
    rows = []
    for key, run in megabatches.sort_values("t").groupby([*keys, "seed"]):
        window = window_of(len(run))
        changes = count_direction_changes(smooth(run[column], window))
        rows.append(dict(zip([*keys, "seed"], key)) | {"direction_changes": changes, "window": window})
    return pd.DataFrame(rows)
