"""Find the series in a collected table, and sort them in the order in which every figure shows series.

The plan of figures imports this module, so it must never load pandas.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

STREAM = ["dataset", "model", "n_megabatches"]
# These columns tell the lines of a panel apart, because a panel has only one dataset, model and T.
SERIES = ["protocol", "method", "pruner", "variant"]
PROTOCOLS = ("paper", "released")
METHODS = ("app", "app_cubic", "osp", "prune_last", "dense_small", "dense", "offline")
PRUNERS = ("snip", "snip_shuffled", "magnitude", "random", "grasp", "synflow")


class Series(NamedTuple):
    """Names the runs of one line in a figure, which differ only in their seed."""

    protocol: str
    method: str
    pruner: str
    variant: str = ""

    @property
    def order(self) -> tuple[tuple[int, str], tuple[int, str], tuple[int, str], str]:
        """Return a sort key: known names come first in the order of the constants, then other names in sorted order."""
        return (
            _rank(self.protocol, PROTOCOLS),
            _rank(self.method, METHODS),
            _rank(self.pruner, PRUNERS),
            self.variant,
        )


def _rank(name: str, known: tuple[str, ...]) -> tuple[int, str]:
    return (known.index(name) if name in known else len(known), name)


def ordered_series(table: pd.DataFrame) -> list[Series]:
    """Return the series of a table in the order in which they are shown."""
    return sorted(set(_series_of_rows(table)), key=lambda series: series.order)


def find_dense(one: Series, series: Iterable[Series]) -> Series | None:
    """Return the dense baseline that a series is compared with, or None if there is none.

    It has the protocol and the variant of the series. If no dense baseline has this variant, it is the one without a
    variant, because a setting of pruning means nothing to it. If none has this protocol, it is the paper's.
    """
    dense = [other for other in series if other.method == "dense"]
    for protocol, variant in product((one.protocol, PROTOCOLS[0]), (one.variant, "")):
        for other in dense:
            if (other.protocol, other.variant) == (protocol, variant):
                return other
    return None


def of_series(table: pd.DataFrame, series: Series) -> pd.DataFrame:
    """Return the rows of one series."""
    return table[(table[SERIES] == list(series)).all(axis="columns")]


def sort_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Sort rows by stream, then in the order of series; rows of one series keep their order."""
    ranks = {series: rank for rank, series in enumerate(ordered_series(table))}
    order = [ranks[series] for series in _series_of_rows(table)]
    return table.assign(order=order).sort_values([*STREAM, "order"], kind="stable").drop(columns="order")


def series_of_key(key: Hashable) -> tuple[tuple[str, str, int], Series]:
    """Split the key of a group by `[*STREAM, *SERIES]` into its stream and its series."""
    assert isinstance(key, tuple)
    return key[: len(STREAM)], Series(*key[len(STREAM) :])


def _series_of_rows(table: pd.DataFrame) -> list[Series]:
    return [Series(*values) for values in table[SERIES].itertuples(index=False, name=None)]
