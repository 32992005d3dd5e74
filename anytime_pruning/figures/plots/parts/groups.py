"""Share series out to panels, at most four to a panel, so that their lines can be told apart."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from anytime_pruning.figures.labels import pruner_label
from anytime_pruning.figures.series import Series, find_dense

MAX_SERIES = 4
# Series are shared out by these columns, one after the other, as long as a panel would hold too many.
NAMES: dict[str, Callable[[str], str]] = {
    "protocol": lambda name: f"protocol: {name}",
    "pruner": pruner_label,
    "variant": lambda name: f"[{name}]" if name else "reference",
}


class Group(NamedTuple):
    """Holds the series of one panel.

    Attributes:
        name: what tells the group apart, in print; empty for the only group.
        series: the series, in the order in which figures show them.
    """

    name: str
    series: list[Series]


def group_series(series: Sequence[Series], always: Sequence[str] = ()) -> list[Group]:
    """Return groups of at most `MAX_SERIES` series; a dense baseline stands in every group that is compared with it.

    Args:
        series: all series, in the order in which figures show them.
        always: columns of `NAMES` whose values never share a group.
    """
    grouping = _Grouping(series)
    groups = [Group("", grouping.members)]
    for axis in NAMES:
        groups = [part for group in groups for part in grouping.divide(group, axis, axis in always)]
    return [Group(name, grouping.complete(part)) for group in groups for name, part in grouping.cut(group)]


class _Grouping:
    """Knows which series are shared out, and the dense baseline that each is compared with."""

    def __init__(self, series: Sequence[Series]) -> None:
        self._series = series
        self._dense = {one: find_dense(one, series) for one in series if one.method != "dense"}
        # A dense baseline with which nothing is compared is a series like others.
        self.members = [one for one in series if one in self._dense or one not in self._dense.values()]

    def complete(self, part: Iterable[Series]) -> list[Series]:
        """Return series with the dense baselines that they are compared with, in order."""
        found = {*part, *(self._dense.get(one) for one in part)}
        return [one for one in self._series if one in found]

    def divide(self, group: Group, axis: str, is_forced: bool) -> list[Group]:
        """Divide a group that is too large, or any group, by the values of a column; small parts stay together."""
        if not is_forced and self._fit(group.series):
            return [group]
        parts: list[tuple[list[str], list[Series]]] = []
        for value in dict.fromkeys(getattr(one, axis) for one in group.series):
            part = [one for one in group.series if getattr(one, axis) == value]
            if parts and not is_forced and self._fit([*parts[-1][1], *part]):
                parts[-1] = ([*parts[-1][0], value], [*parts[-1][1], *part])
            else:
                parts.append(([value], part))
        if len(parts) == 1:
            return [group]
        return [Group(_join(group.name, *map(NAMES[axis], values)), part) for values, part in parts]

    def cut(self, group: Group) -> list[Group]:
        """Cut a group that no column divides, so that each piece leaves a place for the dense baseline."""
        if self._fit(group.series):
            return [group]
        size = MAX_SERIES - 1
        pieces = [group.series[start : start + size] for start in range(0, len(group.series), size)]
        return [Group(_join(group.name, f"{number} of {len(pieces)}"), p) for number, p in enumerate(pieces, start=1)]

    def _fit(self, part: Sequence[Series]) -> bool:
        return len(self.complete(part)) <= MAX_SERIES


def _join(*names: str) -> str:
    return ", ".join(filter(None, names))
