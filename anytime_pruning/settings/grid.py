"""Expand an entry of a grid: a list of values is an axis, and each combination of values is one run."""

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from anytime_pruning.foundation.errors import SettingError, show
from anytime_pruning.settings.run import RunSettings

Axes = dict[str, list[Any]]

# A single value of these settings is itself a list, so an axis is a list of lists.
LIST_SETTINGS = frozenset({"keep", "lr_milestones", "prunable"})
# These settings are not those of a grid: the first belongs to a study, and the second is filled in.
NOT_IN_A_GRID = ("execution", "own_code")


def read_axes(where: str, entry: Mapping[str, Any]) -> Axes:
    """Return the values of every setting of the defaults, or of one entry of the grid.

    Args:
        where: the name of the entry for messages, such as `grid[0]`.
        entry: a value or a list of values for each setting; that of an entry includes the defaults of the study.

    Returns:
        A list of at least one value for each setting.

    Raises:
        SettingError: a setting is unknown, or a list of values is empty.
    """
    for key, value in entry.items():
        if key not in RunSettings.model_fields or key in NOT_IN_A_GRID:
            allowed = ", ".join(name for name in RunSettings.model_fields if name not in NOT_IN_A_GRID)
            raise SettingError(f"{where}.{key[:80]}: unknown setting (value {show(value)}); allowed: {allowed}")
    return {key: _read_axis(where, key, value) for key, value in entry.items()}


def _read_axis(where: str, key: str, value: Any) -> list[Any]:
    """Return the values of one setting; a list is an axis, unless a single value of the setting is itself a list."""
    is_axis = isinstance(value, list) and (key not in LIST_SETTINGS or any(isinstance(item, list) for item in value))
    if is_axis and not value:
        raise SettingError(f"{where}.{key}: [] is not allowed: an axis needs at least one value")
    return value if is_axis else [value]


def count_combinations(axes: Axes) -> int:
    """Return how many runs an entry names, without making their settings."""
    return math.prod(map(len, axes.values()))


def combine(axes: Axes) -> Iterator[dict[str, Any]]:
    """Yield every combination as a value for each setting; the last axis varies fastest."""
    for combination in itertools.product(*axes.values()):
        yield dict(zip(axes, combination))
