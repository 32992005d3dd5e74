"""Draw the rooms of the package and the rules of the workflow as boxes in layers, from the files that define them."""

import html
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
ROOM, GAP, HEIGHT, STEP = 760, 14, 34, 62
NAMED = re.compile(r'(\d+)\[label = "([^"]+)"')
EDGE = re.compile(r"(\d+) -> (\d+)")


def pictures() -> dict[str, str]:
    """Return the pictures as SVG by their paths below docs/."""
    rooms = rooms_of_the_package()
    below = {room: lower for layer, lower in pairwise(rooms) for room in layer}
    edges = [(room, under) for room, lower in below.items() for under in lower]
    return {"images/rooms.svg": draw(rooms, edges), "images/rules.svg": draw(*rules_of_the_workflow())}


def rooms_of_the_package() -> list[list[str]]:
    """Return the rooms that pyproject.toml lists, from top to bottom; rooms in one row do not import each other."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (entry for entry in content["tool"]["importlinter"]["contracts"] if entry["type"] == "layers")
    return [layer.split(" | ") for layer in contract["layers"]]


def rules_of_the_workflow() -> tuple[list[list[str]], list[tuple[str, str]]]:
    """Return the rules of the demonstration in layers, and each pair of a rule and the next one that needs it."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--rulegraph", "dot", "--quiet", "all"]
    # In an empty folder, nothing is there yet, so the graph is that of a fresh clone.
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            [*command, "--quiet", "all"], cwd=folder, capture_output=True, encoding="utf-8", check=True
        )
    graph = done.stdout
    names = dict(NAMED.findall(graph))
    needs = {rule: set[str]() for rule in names.values()}
    for first, second in EDGE.findall(graph):
        needs[names[second]].add(names[first])
    return layers_of(needs), [(first, rule) for rule in needs for first in sorted(direct(rule, needs))]


def direct(rule: str, needs: Mapping[str, set[str]]) -> set[str]:
    """Return the needs of a rule that no other of its needs has already."""
    return {first for first in needs[rule] if not any(first in needs[other] for other in needs[rule])}


def layers_of(needs: Mapping[str, set[str]]) -> list[list[str]]:
    """Return layers of names, each name one layer below the lowest that it needs."""
    depth: dict[str, int] = {}
    for name in TopologicalSorter(needs).static_order():
        depth[name] = max((depth[other] + 1 for other in needs.get(name, ())), default=0)
    return [sorted(name for name in depth if depth[name] == layer) for layer in range(max(depth.values()) + 1)]


def draw(layers: Sequence[Sequence[str]], edges: Sequence[tuple[str, str]]) -> str:
    """Return an SVG of boxes in layers, from top to bottom, with a line for each edge."""
    middle: dict[str, tuple[float, float]] = {}
    boxes = []
    for row, layer in enumerate(layers):
        width = min(210, (ROOM - GAP * (len(layer) + 1)) / len(layer))
        left = (ROOM - len(layer) * width - (len(layer) - 1) * GAP) / 2
        for column, name in enumerate(layer):
            x, y = left + column * (width + GAP), 8 + row * STEP
            middle[name] = (x + width / 2, y)
            boxes.append(
                f'<rect x="{x:.0f}" y="{y}" width="{width:.0f}" height="{HEIGHT}" rx="5"/>'
                f'<text x="{x + width / 2:.0f}" y="{y + 22}">{html.escape(name)}</text>'
            )
    lines = []
    for first, second in edges:
        (x1, y1), (x2, y2) = middle[first], middle[second]
        lines.append(f'<line x1="{x1:.0f}" y1="{y1 + HEIGHT}" x2="{x2:.0f}" y2="{y2 - 2}"/>')
    height = 8 + len(layers) * STEP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {ROOM} {height}" width="{ROOM}" height="{height}">'
        f'<path d="M0 0h{ROOM}v{height}h-{ROOM}z" fill="white"/>'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#777"/></marker></defs>'
        f'<g stroke="#777" marker-end="url(#tip)">{"".join(lines)}</g>'
        "<style>rect{fill:#E8EAF6;stroke:#3F51B5} text{font:13px sans-serif;text-anchor:middle;fill:#222}</style>"
        f"{''.join(boxes)}</svg>\n"
    )
