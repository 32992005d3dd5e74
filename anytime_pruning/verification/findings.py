"""Hold what was looked at and what was found wrong."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Verification:
    """What was looked at, and what was found wrong.

    Attributes:
        counts: of runs, by what could be done with them.
        problems: one line each; a path, what is there and what should be.
        notes: what was not looked at, and why.
    """

    counts: Counter = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    notes: Counter = field(default_factory=Counter)

    def __str__(self) -> str:
        said = [f"{self.counts['runs']} runs looked at"]
        said += [f"{self.counts[what]} {what}" for what in ("with weights", "tested again", "tables of studies")]
        return f"{', '.join(said)}; {len(self.problems)} problems"
