"""Smooth curves over megabatches, and measure how often and how far they turn.

All functions work on any number of curves at once: an array of curves has the megabatches in its last axis.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# The smallest move that counts as one, in percentage points.
THRESHOLD_POINTS = 1.0


def window_of(n_megabatches: int) -> int:
    """Return the number of megabatches in a window: an odd number near a tenth of the stream, but at least 3."""
    return max(3, 2 * (n_megabatches // 20) + 1)


def smooth(curves: ArrayLike) -> Floats:
    """Average curves over a centred moving window of `window_of(T)` megabatches.

    Args:
        curves: [..., T] values; T is at least 3.

    Returns:
        [..., T - window + 1] means, of whole windows only.
    """
    curves = np.asarray(curves, float)
    windows = np.lib.stride_tricks.sliding_window_view(curves, window_of(curves.shape[-1]), axis=-1)
    return np.asarray(windows.mean(axis=-1))


def reversal(curves: ArrayLike) -> Floats:
    """Return how far curves are from monotone: the smaller one of their largest rise and their largest fall.

    A rise is the difference of a value and any earlier one; the two need not be neighbours. A monotone curve has 0.

    Args:
        curves: [..., T] values.

    Returns:
        [...] reversals, in the unit of the values.
    """
    curves = np.asarray(curves, float)
    rise = (curves - np.minimum.accumulate(curves, axis=-1)).max(axis=-1)
    fall = (np.maximum.accumulate(curves, axis=-1) - curves).max(axis=-1)
    return np.asarray(np.minimum(rise, fall))


def count_direction_changes(curves: ArrayLike) -> NDArray[np.int64]:
    """Count how often curves turn and then move back by at least `THRESHOLD_POINTS`.

    The first move of at least this size sets the first direction. Smaller moves are ignored.

    Args:
        curves: [..., T] values, in percentage points.

    Returns:
        [...] counts.
    """
    curves = np.asarray(curves, float)
    low = high = curves[..., 0]
    direction = changes = np.zeros(curves.shape[:-1], np.int64)
    for place in range(1, curves.shape[-1]):
        value = curves[..., place]
        low, high = np.minimum(low, value), np.maximum(high, value)
        rises = (value - low >= THRESHOLD_POINTS) & (direction <= 0)
        falls = (high - value >= THRESHOLD_POINTS) & (direction >= 0) & ~rises
        turns = rises | falls
        changes = changes + (turns & (direction != 0))
        direction = np.where(rises, 1, np.where(falls, -1, direction))
        low, high = np.where(turns, value, low), np.where(turns, value, high)
    return np.asarray(changes)
