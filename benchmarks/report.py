"""Write measured numbers as JSON and as Markdown tables, which the README shows."""

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def publish(result: dict[str, Any], text: str, folder: Path, part: str = "") -> Path:
    """Write a machine's result as JSON and its tables as Markdown, and print them.

    Args:
        result: the numbers; `machine` holds the `id` that begins the names of the files.
        text: the tables.
        folder: where the files are written; it is made if missing.
        part: name of the measured part, for the names of the files; empty for all parts.

    Returns:
        The path of both files without their suffix.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = "-".join(filter(None, (result["machine"]["id"], part)))
    (folder / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (folder / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)
    return folder / name


def to_markdown(result: dict[str, Any]) -> str:
    """Return the tables of one machine's result: speed, techniques, and the time and memory of a job."""
    machine = result["machine"]
    lines = [
        f"{machine['name']}, {machine['threads']} threads, torch {machine['torch']}, batch size 64, 32 x 32 images. "
        f"Median of {result['rounds']} rounds taken in turns, with the lowest and highest.",
        "",
        "| Network | plain loop (samples/s) | ours (samples/s) | ratio | precision | GEMM (GFLOP/s) | ours of that |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, part in result["networks"].items():
        ceiling = part["gemm_gflops_per_s"][part["precision"]]
        lines.append(
            f"| {name} | {_range(part['samples_per_s']['plain'], 0)} | {_range(part['samples_per_s']['ours'], 0)} "
            f"| {_range(part['ratio_to_plain']['ours'], 2)} | {part['precision']} | {ceiling:,.0f} "
            f"| {_range(part['fraction_of_ceiling'], 2)} |"
        )
    ways = {way: None for part in result["networks"].values() for way in part["ratio_to_ours"]}
    del ways["plain"], ways["ours"]
    lines += ["", "Speed relative to ours with one technique changed:", ""]
    lines += [f"| Network | {' | '.join(ways)} |", f"| --- |{' --- |' * len(ways)}"]
    for name, part in result["networks"].items():
        cells = (_range(part["ratio_to_ours"][way], 2) if way in part["ratio_to_ours"] else "–" for way in ways)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "| Network | SNIP (samples/s) | evaluation (samples/s) | selecting masks (s) |"]
    lines += ["| --- | --- | --- | --- |"]
    for name, part in result["networks"].items():
        lines.append(
            f"| {name} | {part['snip_samples_per_s']:,.0f} | {part['evaluation_samples_per_s']:,.0f} "
            f"| {part['select_s']:.3f} |"
        )
    return "\n".join([*lines, "", *_jobs(result), ""])


def _jobs(result: dict[str, Any]) -> list[str]:
    start, workflow = result["start_up"], result["workflow"]
    start_range = f"{start['min']:.2f}–{start['max']:.2f}"
    lines = [
        "| Of a job | |",
        "| --- | --- |",
        f"| process start to first training step, digits | {start['median']:.2f} s ({start_range}) |",
        f"| a whole job of one megabatch and 64 images | {workflow['job_s']:.2f} s |",
        f"| added to it by the workflow | {workflow['overhead_per_job_s']:.2f} s |",
        f"| the workflow's plan, nothing to do | {workflow['plan_s']:.2f} s |",
    ]
    for name, peak in result["memory"].items():
        text = ", ".join(f"{value:,} MB{' on the GPU' if 'gpu' in key else ''}" for key, value in peak.items())
        lines.append(f"| peak memory, {name}, 50,000 images | {text} |")
    for name, ways in result["sharing"].items():
        for way, speed in ways.items():
            low_high = f"{speed['min']:,.0f}–{speed['max']:,.0f}"
            lines.append(f"| {name}, {way} | {speed['samples_per_s']:,.0f} samples/s in total ({low_high}) |")
    return lines


def _range(spread: dict[str, float], digits: int) -> str:
    median, low, high = (f"{spread[key]:,.{digits}f}" for key in ("median", "min", "max"))
    return f"{median} ({low}–{high})"
