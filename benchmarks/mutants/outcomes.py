"""Compare what survives with the list of mutants that no test could notice, and write the table of the rooms."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.mutants.rooms import ROOMS, TARGET

KILLED, SURVIVED, UNTESTED = "killed", "survived", "no test"
# One file for each part of the method.
SURVIVORS = Path(__file__).parent / "survivors"


@dataclass(frozen=True)
class Outcome:
    """Holds what became of one changed place.

    Attributes:
        room: the part of the method.
        place: the module inside of the package and the function, such as `stream.sizes.split_sizes`.
        change: the lines that differ, such as `- a + b + a - b`.
        end: `killed`, `survived` or `no test`.
    """

    room: str
    place: str
    change: str
    end: str


def read_reasons(folder: Path = SURVIVORS) -> dict[tuple[str, str], str]:
    """Return the reason of each listed mutant, by its place and its change."""
    groups: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.yaml")):
        groups += yaml.safe_load(path.read_text(encoding="utf-8"))
    return {
        (place, change): group["reason"]
        for group in groups
        for place, changes in group["mutants"].items()
        for change in changes
    }


def without_reason(outcomes: Iterable[Outcome], reasons: Mapping[tuple[str, str], str]) -> list[Outcome]:
    """Return what survived and is not listed."""
    return [one for one in outcomes if one.end != KILLED and (one.place, one.change) not in reasons]


def below_target(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a line for each room, and for all of them, of whose mutants too few were noticed."""
    lines = []
    for room, (killed, total) in count(outcomes).items():
        target = ROOMS[room].target if room in ROOMS else TARGET
        if 100 * killed < target * total:
            lines.append(f"{room}: {killed} of {total} mutants are noticed, less than {target:.0f} %")
    return lines


def count(outcomes: Sequence[Outcome]) -> dict[str, tuple[int, int]]:
    """Return how many mutants were noticed, and how many there are, by room and at the end in all."""
    killed = Counter(one.room for one in outcomes if one.end == KILLED)
    totals = Counter(one.room for one in outcomes)
    return {room: (killed[room], totals[room]) for room in totals} | {"all": (killed.total(), totals.total())}


def to_markdown(outcomes: Sequence[Outcome], about: str) -> str:
    """Return the table of the rooms.

    Args:
        outcomes: of all mutants.
        about: when and with what they were tried.
    """
    lines = [f"{about}", "", "| part | mutants | noticed | share |", "| --- | --- | --- | --- |"]
    for room, (killed, total) in count(outcomes).items():
        lines.append(f"| {room} | {total:,} | {killed:,} | {100 * killed / total:.1f} % |")
    return "\n".join(lines) + "\n"
