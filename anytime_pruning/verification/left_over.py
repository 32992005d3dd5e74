"""Count what earlier grids left in a study's folders."""

import json
from collections.abc import Iterator
from pathlib import Path

from anytime_pruning.results.left_over import figure_of, find_left_over
from anytime_pruning.results.run_list import read_runs_list
from anytime_pruning.verification.findings import OF_NO_GRID, Finding, count, note


def describe_left_over(study: Path) -> Iterator[Finding]:
    """Count what a study no longer needs, by the grid with which the workflow was called last.

    Yields:
        One count for each run and each file, and a note that says how to see them; nothing if the workflow was not
        called here.
    """
    try:
        runs = read_runs_list(study / "runs.txt")
        plan = json.loads((study / "figures.json").read_text(encoding="utf-8"))
        figures = {name: tuple(content["kinds"]) for name, content in plan.items()}
    except (OSError, ValueError, TypeError, AttributeError, LookupError):
        return
    left = find_left_over(study, runs, figures)
    yield from (count(OF_NO_GRID) for _ in left)
    if any(left):
        others = len({figure_of(path) for path in left.figures})
        yield note(
            f"{study}: {len(left.runs)} runs, {others} figures and {len(left.remains)} left-overs of runs are of no "
            "grid or of no run; python -m anytime_pruning stale CONFIG lists them"
        )
