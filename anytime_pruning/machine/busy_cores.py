"""Warn if a run of several threads shares its cores with other work, which makes the threads wait for each other.

The threads of a layer meet at its end, and whoever is there first computes nothing until the last one comes. If another
process has taken the core of the last one, all others wait for it, hundreds of times in a step. A run of one thread
waits for nobody and loses only the time that the other process takes.
"""

import os
import statistics
import time
from pathlib import Path

from anytime_pruning.foundation.console import warn

STATISTICS = Path("/proc/stat")
LOOKS, PAUSE_S = 9, 0.02


def warn_if_threads_would_wait(threads: int, statistics_file: Path = STATISTICS) -> None:
    """Warn if other processes compute on cores that the threads of this run need.

    A run of one thread is never warned of, and nothing happens on a system without this file.

    Args:
        threads: the setting `execution.threads`.
        statistics_file: the file in which Linux counts the processes that want to compute.
    """
    if threads == 1 or (others := _count_others(statistics_file)) is None:
        return
    cores = len(os.sched_getaffinity(0))
    if others + threads > cores:
        warn(
            f"execution.threads: {threads} threads share {cores} cores with {others} other computing "
            f"process{'es' if others > 1 else ''} and wait for each other; with threads 1 the run is often faster"
        )


def _count_others(statistics_file: Path) -> int | None:
    """Return the number of other processes that compute, as the median of some looks, or None if nobody counts them."""
    counts = []
    for _ in range(LOOKS):
        try:
            lines = statistics_file.read_text(encoding="ascii").splitlines()
        except OSError:
            return None
        counts += [int(line.split()[1]) - 1 for line in lines if line.startswith("procs_running")]
        time.sleep(PAUSE_S)
    return max(0, int(statistics.median(counts))) if counts else None
