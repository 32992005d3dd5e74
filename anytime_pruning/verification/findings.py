"""Define the findings that checks yield, and gather all findings."""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

# What earlier grids left is counted only where there is some.
OF_NO_GRID = "files and runs of no grid"


@dataclass(frozen=True)
class Finding:
    """Holds one result of a check.

    Attributes:
        kind: `problem` for a problem in stored results, `note` for something that could not be checked, or `count` for
            something that was checked.
        text: one line. The text of a problem names the stored value and the expected value.
        file: name of the run's file that has the problem, or None if the text itself names a path.
    """

    kind: Literal["problem", "note", "count"]
    text: str
    file: str | None = None

    def at(self, path: Path) -> "Finding":
        """Return the same finding with the path of its file in the text."""
        return replace(self, text=f"{path}: {self.text}", file=None)


def problem(text: str, file: str | None = None) -> Finding:
    """Make a problem."""
    return Finding("problem", text, file)


def note(text: str) -> Finding:
    """Make a note on something that could not be checked."""
    return Finding("note", text)


def count(what: str) -> Finding:
    """Make a count, which says that one more object of some kind was checked."""
    return Finding("count", what)


@dataclass
class Verification:
    """Gathers the findings of all checks.

    Attributes:
        counts: number of checked runs and tables, by the text of the count.
        problems: texts of all problems, one line each.
        notes: number of objects that could not be checked, by the reason.
    """

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    def add(self, finding: Finding) -> None:
        """Add one finding."""
        if finding.kind == "problem":
            self.problems.append(finding.text)
        else:
            (self.notes if finding.kind == "note" else self.counts)[finding.text] += 1

    def __str__(self) -> str:
        said = [f"{self.counts['runs']} runs looked at"]
        said += [f"{self.counts[what]} {what}" for what in ("with weights", "tested again", "tables of studies")]
        said += [f"{left} {OF_NO_GRID}"] if (left := self.counts[OF_NO_GRID]) else []
        return f"{', '.join(said)}; {len(self.problems)} problems"
