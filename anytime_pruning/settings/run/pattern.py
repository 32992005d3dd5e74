"""Read the pattern of structured sparsity, and say which densities and numbers of weights a selection can give.

A pattern N:M keeps N of every M weights in a row along the input dimension. With it in all groups the density is N / M,
and lower densities do not exist.
"""

from collections.abc import Sequence

from anytime_pruning.foundation.errors import SettingError


def parse_pattern(text: str) -> tuple[int, int]:
    """Return N and M of a text such as `2:4`.

    Raises:
        SettingError: N is not below M, so that nothing or less than nothing would be removed.
    """
    n, m = (int(part) for part in text.split(":"))
    if not 1 <= n < m:
        raise SettingError(f"pattern: '{text}' is not allowed: N:M keeps N of M weights; allowed: N from 1 to M - 1")
    return n, m


def attainable(densities: Sequence[float], selection: str, pattern: str) -> list[float]:
    """Return the densities that a selection can give, where it cannot give those of a schedule.

    If the last density is below N / M, the pattern is reached at the last megabatch, and the densities before come from
    fewer groups: the removed shares shrink alike.

    Args:
        densities: densities of the schedule.
        selection: name of the selection.
        pattern: the setting `pattern`, such as `2:4`.
    """
    if selection != "n_m":
        return list(densities)
    n, m = parse_pattern(pattern)
    last = densities[-1]
    if last >= n / m:
        return list(densities)
    return [1 - (1 - density) / (1 - last) * (1 - n / m) for density in densities]


def slack(selection: str, pattern: str, scope: str, filter_sizes: Sequence[int]) -> int:
    """Return by how many weights masks may miss a density, because a selection removes weights in groups.

    Args:
        selection: name of the selection; one that is registered from outside is taken to be exact.
        pattern: the setting `pattern`.
        scope: the setting `scope`.
        filter_sizes: number of weights in one filter of each layer, or more.
    """
    if selection == "n_m":
        return parse_pattern(pattern)[1] * (len(filter_sizes) if scope == "local" else 1)
    if selection == "filter":
        return sum(filter_sizes) if scope == "local" else max(filter_sizes, default=0)
    return 0
