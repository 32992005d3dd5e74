"""Write the outcomes of the zoo as JSON, from which a later call goes on, and as a Markdown table."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from anytime_pruning.foundation.files import write_text

STEPS = ("snip", "grasp", "synflow", "magnitude", "run", "reload", "onnx")


def publish(result: dict[str, Any], folder: Path) -> None:
    """Write zoo.json and zoo.md.

    Args:
        result: `about` describes the call, and `networks` holds the outcomes by name of the network.
        folder: where the files are written; it is made if missing.
    """
    write_text(folder / "zoo.json", json.dumps(result, indent=1) + "\n")
    write_text(folder / "zoo.md", to_markdown(result))


def to_markdown(result: dict[str, Any]) -> str:
    """Return the table, and below it what was said, each line once with the networks and steps that it concerns."""
    about, networks = result["about"], result["networks"]
    verdicts = Counter(o["verdict"] for network in networks.values() for o in network["outcomes"] if o["step"] in STEPS)
    lines = [
        f"# {len(networks)} networks of other people",
        "",
        "`make zoo` builds each network with fresh weights, scores it by each pruner, chooses masks (density 0.366), "
        "trains a tiny run of two megabatches, loads its network again, and writes it as ONNX, which is compared with "
        "torch. A number refers to the lines below.",
        "",
        f"{about['date']}, {about['machine']}, {', '.join(f'{name} {v}' for name, v in about['versions'].items())}. "
        f"Steps: {', '.join(f'{count} {verdict}' for verdict, count in verdicts.most_common())}.",
        "",
        f"| network | library | pixels | parameters (million) | {' | '.join(STEPS)} | seconds |",
        f"| --- | --- | --- | --- |{' --- |' * len(STEPS)} --- |",
    ]
    said: dict[str, int] = {}
    for name, network in networks.items():
        cells = {o["step"]: _cell(o, said, name) for o in network["outcomes"]}
        size = f"{network['parameters'] / 1e6:.1f}" if network["parameters"] else cells["build"]
        steps = " | ".join(cells.get(step, "–") for step in STEPS)
        lines.append(
            f"| {name} | {network['library']} | {network['pixels']} | {size} | {steps} | {network['seconds']:.0f} |"
        )
    lines += ["", *(f"{number}. {_escape(line)}" for line, number in said.items())]
    return "\n".join(lines).rstrip() + "\n"


def _cell(outcome: dict[str, str], said: dict[str, int], name: str) -> str:
    """Return the verdict and the number of its line; lines that differ only in the network's name share a number."""
    line = outcome["line"].replace(name, "NETWORK")
    if not line or outcome["verdict"] == "not tried":
        return outcome["verdict"]
    return f"{outcome['verdict']} ({said.setdefault(line, len(said) + 1)})"


def _escape(line: str) -> str:
    """Return a line that Markdown shows as it is."""
    return f"`{line}`" if "`" not in line else f"`` {line} ``"
