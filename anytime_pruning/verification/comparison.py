"""Compare single values of a stored run with the values that something else determines."""

from collections.abc import Iterator

from anytime_pruning.foundation import metrics
from anytime_pruning.results import layout
from anytime_pruning.verification.findings import Finding, problem

BY_SETTINGS = "the settings make it"


def check_equal(
    what: str,
    found: object,
    expected: object,
    file: str = layout.MEGABATCHES,
    reason: str = "the other numbers make it",
) -> Iterator[Finding]:
    """Yield a problem if a stored value differs from the value that it should have.

    Args:
        what: name of the value.
        found: the stored value.
        expected: the value that it should have. Both values must be equal to the bit, because the same code computed
            them.
        file: name of the file that stores the value.
        reason: what determines the expected value, as the message says it.
    """
    if found != expected:
        yield problem(f"{what} is {found}, but {reason} {expected}", file)


def check_time(what: str, found: float, expected: float, digit: float) -> Iterator[Finding]:
    """Yield a problem if a sum of times in metrics.json, or a speed, is not what the times of the rows make it.

    The last digit may differ by one. Python 3.12 and later add floating-point numbers more exactly than 3.11 does, and
    a sum that lies between two digits is then rounded to the other one.

    Args:
        what: name of the value.
        found: the stored value.
        expected: the value that the rows determine.
        digit: the unit of the last digit.
    """
    if abs(found - expected) > 1.5 * digit:
        yield from check_equal(what, found, expected, layout.METRICS)


def check_percentage(what: str, found: float, total: int, file: str = layout.MEGABATCHES) -> Iterator[Finding]:
    """Yield a problem if a percentage does not correspond to a whole number of images.

    Args:
        what: name of the value.
        found: the stored percentage.
        total: number of images that the percentage refers to.
        file: name of the file that stores the value.
    """
    if not 0 <= found <= 100:
        yield problem(f"{what} is {found}, which is not a percentage", file)
        return
    yield from check_equal(what, found, metrics.accuracy_pct(round(found * total / 100), total), file)
