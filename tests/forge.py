"""Change stored results with their checksums, as a forger or wrong code would, or without, as a broken disk would."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from anytime_pruning.foundation.files import file_sha256
from anytime_pruning.results.layout import METRICS, WEIGHTS
from anytime_pruning.results.store import render, seal
from anytime_pruning.verification.stored import verify


def forge(folder: Path, change: Callable[[dict[str, Any]], object] = lambda content: None) -> None:
    """Change metrics.json of a run, and bring its checksums in line with all files as they are now."""
    path = folder / METRICS
    content = json.loads(path.read_text())
    for name in content["files"]:
        if (file := folder / name).exists() or name != WEIGHTS:
            content["files"][name] = file_sha256(file)
    change(content)
    path.write_text(render(seal(content)))


def edit(path, change):
    """Change the rows of a CSV file, given as mappings of texts."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows = change(rows) or rows
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def put(file, row, **values):
    """Return a change that puts other values into a row of a table."""
    return lambda run: edit(run / file, lambda rows: rows[row].update(values))


def say(**values):
    """Return a change that puts other values into metrics.json."""
    return lambda run: forge(run, lambda content: content.update(values))


def in_all(file, column, value):
    """Return a change that replaces each value of a column by `value` of that value."""
    return lambda run: edit(
        run / file, lambda rows: [row.update({column: value(row[column])}) for row in rows] and None
    )


def problems_in(folder, evaluate=False):
    """Return the problems that `verify` finds in stored results."""
    *_, done = verify([folder], evaluate)
    return done.problems
