"""Keep Python's garbage collector from searching what imports make, which takes a fifth of a short process.

Imports make hundreds of thousands of objects and hardly any garbage. By its usual thresholds, the collector of Python
3.11 would search them some 400 times, that of newer ones less often, and each all of them when the process ends.
"""

import atexit
import gc

_USUAL = gc.get_threshold()
# The collector waits for this many new objects, which take a few megabytes.
_OBJECTS = 10_000


def defer_collections() -> None:
    """Collect garbage seldom, and none at the end of the process. Call this before the heavy imports."""
    gc.set_threshold(_OBJECTS)
    # The system takes all memory back at once.
    atexit.register(gc.freeze)


def resume_collections() -> None:
    """Collect garbage as usual from now on, but never again search what exists; without a deferral, do nothing.

    Training calls this, because garbage of a network may hold memory of a GPU.
    """
    if gc.get_threshold() != _USUAL:
        gc.freeze()
        gc.set_threshold(*_USUAL)
