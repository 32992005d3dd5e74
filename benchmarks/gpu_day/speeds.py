"""Publish the speeds of a day in the form of the other benchmarks, by which a study says how long it takes."""

from pathlib import Path
from typing import Any

from benchmarks.report import publish

# What a day calls the ways to train, and what the other results call them.
WAYS = {"plain": "plain", "unrecorded": "unrecorded", "recorded": "ours", "compiled and recorded": "compiled"}


def publish_speeds(content: dict[str, Any], folder: Path) -> Path | None:
    """Write the speeds that a day has measured as JSON and Markdown, and return the path of the JSON.

    Args:
        content: content of the day's record.
        folder: where the files are written; beside benchmarks/results/ they are found by the estimates.

    Returns:
        None for a rehearsal, and as long as no speed and no machine is known.
    """
    parts = content["parts"]
    networks = {
        name: found
        for part in parts
        if part.startswith("speed/") and (found := _speeds_of(name := part.partition("/")[2], parts))
    }
    machine = parts.get("probe", {}).get("measured", {}).get("machine")
    if content["rehearsal"] or not networks or machine is None:
        return None
    sharing = {part.partition("/")[2]: parts[part]["measured"] for part in parts if part.startswith("sharing/")}
    code = {key: content["calls"][-1][key] for key in ("commit", "modified")}
    result = {"machine": machine, "code": code, "networks": networks, "sharing": sharing}
    return Path(f"{publish(result, _to_markdown(result), folder)}.json")


def _speeds_of(network: str, parts: dict[str, Any]) -> dict[str, Any] | None:
    """Return the numbers of one network, or None if its measurement has not come to its end."""
    found = {**parts.get(f"compile/{network}", {}).get("measured", {}), **parts[f"speed/{network}"]["measured"]}
    if not {"recorded", "plain", "gflop_per_sample", "gemm_gflops_per_s"} <= found.keys():
        return None
    return {
        "precision": found["precision"],
        "gflop_per_sample": found["gflop_per_sample"],
        "gemm_gflops_per_s": {found["precision"]: found["gemm_gflops_per_s"]},
        "samples_per_s": {name: found[way] for way, name in WAYS.items() if way in found},
    }


def _to_markdown(result: dict[str, Any]) -> str:
    ways = [way for way in WAYS.values() if any(way in part["samples_per_s"] for part in result["networks"].values())]
    lines = [
        f"{result['machine']['name']}, torch {result['machine']['torch']}, batch size 64, 32 x 32 images. Samples per "
        "second: median of rounds taken in turns, with the lowest and highest. Ours: a step recorded as a CUDA graph.",
        "",
        f"| Network | {' | '.join(ways)} | ours to plain | precision | TFLOP/s of ours | of the GEMM |",
        f"|{' --- |' * (len(ways) + 5)}",
    ]
    for name, part in result["networks"].items():
        speeds = part["samples_per_s"]
        flops = part["gflop_per_sample"] * speeds["ours"]["median"]
        cells = [name, *(_range(speeds[way]) if way in speeds else "–" for way in ways)]
        cells += [
            f"{speeds['ours']['median'] / speeds['plain']['median']:.1f}",
            part["precision"],
            f"{flops / 1e3:.1f}",
        ]
        cells.append(f"{flops / part['gemm_gflops_per_s'][part['precision']]:.3f}")
        lines.append(f"| {' | '.join(cells)} |")
    shared = [(name, way, value) for name, ways in result["sharing"].items() for way, value in ways.items()]
    rows = [f"| {name} | {way} | {value['median']:,.0f} |" for name, way, value in shared if isinstance(value, dict)]
    if rows:
        lines += ["", "| Network | Jobs on the GPU | all together (samples/s) |", "| --- | --- | --- |", *rows]
    return "\n".join([*lines, ""])


def _range(spread: dict[str, float]) -> str:
    return f"{spread['median']:,.0f} ({spread['min']:,.0f}–{spread['max']:,.0f})"
