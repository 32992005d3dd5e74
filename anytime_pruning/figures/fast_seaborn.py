"""Import seaborn without the parts of scipy that it offers to do without, whose import takes half of a figure's time.

seaborn takes density estimates and clusters from them, which no figure here draws.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

OPTIONAL = ("scipy.stats", "scipy.cluster")


@contextmanager
def _missing(modules: tuple[str, ...]) -> Iterator[None]:
    """Let imports of these modules fail, as if they were not installed, unless they have been imported before."""
    absent = [name for name in modules if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None is Python's own mark for this
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


with _missing(OPTIONAL):
    import seaborn as sns

__all__ = ["sns"]
