"""Choose the pairs of series to compare."""

import itertools
from collections.abc import Iterator

from anytime_pruning.figures.series import Series


def choose_pairs(series: list[Series]) -> Iterator[tuple[Series, Series]]:
    """Yield the pairs of series that differ in one choice, in the order in which tables show the pairs.

    All methods are compared with each other, with the gradual method first. Other pruners, protocols and variants are
    compared with the first in order, which is SNIP, the paper's protocol, and no variant. Dense runs have no pruner, so
    they are compared with runs of any pruner. If dense runs exist only under the paper's protocol, they are compared
    with released runs as well.

    Args:
        series: all series, in the order in which tables show them.
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
    """Return whether two series differ in one choice, and no earlier series differs from `one` in this choice alone."""
    if len(differing) != 1:
        return False
    blank = {differing[0]: ""}
    alike = [other for other in series if other._replace(**blank) == one._replace(**blank)]
    return alike[0] == one


def _is_dense_beside_released(dense: Series, released: Series, differing: list[str], series: list[Series]) -> bool:
    has_own = any(one.protocol == released.protocol and one.method == dense.method for one in series)
    return dense.pruner == "none" and sorted(differing) == ["method", "protocol"] and not has_own
