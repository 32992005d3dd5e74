"""Choose which pairs of series are compared."""

import itertools
from collections.abc import Iterator

from anytime_pruning.figures.series import Series


def choose_pairs(series: list[Series]) -> Iterator[tuple[Series, Series]]:
    """Yield the pairs of series that differ in one thing, in the order in which they are shown.

    All methods are compared with each other, the gradual one first. Other pruners, protocols and variants are compared
    with the first in order, which is SNIP, the paper's protocol, and no variant. Dense runs have no pruner, so they go
    with any pruner. Where dense runs exist under the paper's protocol only, they go with released runs as well.

    Args:
        series: in the order in which they are shown.
    """
    for earlier, later in itertools.combinations(series, 2):
        differing = [axis for axis in Series._fields if getattr(earlier, axis) != getattr(later, axis)]
        if "none" in (earlier.pruner, later.pruner):
            differing = [axis for axis in differing if axis != "pruner"]
        if differing == ["method"]:
            yield earlier, later
        elif _is_reference(earlier, differing, series) or _is_dense_beside_released(earlier, later, differing, series):
            yield later, earlier


def _is_reference(one: Series, differing: list[str], series: list[Series]) -> bool:
    """Say whether one thing differs, and no earlier series differs from this one in that thing alone."""
    if len(differing) != 1:
        return False
    blank = {differing[0]: ""}
    alike = [other for other in series if other._replace(**blank) == one._replace(**blank)]
    return alike[0] == one


def _is_dense_beside_released(dense: Series, released: Series, differing: list[str], series: list[Series]) -> bool:
    has_own = any(one.protocol == released.protocol and one.method == dense.method for one in series)
    return dense.pruner == "none" and sorted(differing) == ["method", "protocol"] and not has_own
