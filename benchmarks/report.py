"""Name the machine of a measurement, and write numbers as JSON and as Markdown tables, which the README shows."""

import json
import re
from pathlib import Path
from typing import Any

import torch

from anytime_pruning.foundation.files import write_text
from anytime_pruning.machine import provenance

RESULTS = Path(__file__).parent / "results"
# The ending is not .json, because the estimate of a study's duration reads every .json file among the results.
INCOMPLETE = ".json.incomplete"


def describe_machine(device: torch.device, threads: int) -> dict[str, Any]:
    """Return a description of the machine, with `id` as the name for the files of its results."""
    hardware = provenance.describe_hardware(device)
    name = str(hardware.get("gpu", f"{provenance.processor_kind()}, {hardware['cores']} cores"))
    return {
        "id": re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"),
        "name": name,
        "threads": threads,
        "torch": torch.__version__,
        **{key: hardware[key] for key in ("device", "processor", "cpu_capability", "cores")},
    }


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
    stem = _stem(result, folder, part)
    write_text(Path(f"{stem}.json"), _render(result))
    write_text(Path(f"{stem}.md"), text)
    Path(f"{stem}{INCOMPLETE}").unlink(missing_ok=True)
    print(text)
    return stem


def keep_incomplete(result: dict[str, Any], folder: Path, part: str = "") -> Path:
    """Write what has been measured so far beside the finished result, which stays until the new one is whole.

    Args:
        result: the numbers, as for `publish`, of the measured parts alone.
        folder: where the file is written; it is made if missing.
        part: name of the measured part, as for `publish`.

    Returns:
        The path of the file, whose ending says that the result is incomplete.
    """
    path = Path(f"{_stem(result, folder, part)}{INCOMPLETE}")
    write_text(path, _render({"incomplete": True} | result))
    return path


def _stem(result: dict[str, Any], folder: Path, part: str) -> Path:
    return folder / "-".join(filter(None, (result["machine"]["id"], part)))


def _render(result: dict[str, Any]) -> str:
    return json.dumps(result, indent=1) + "\n"


def to_markdown(result: dict[str, Any]) -> str:
    """Return the tables of one machine's result: speed, techniques, and the time and memory of a job."""
    machine = result["machine"]
    lines = [
        f"{machine['name']}, {machine['threads']} threads, torch {machine['torch']}, batch size 64, 32 x 32 images. "
        f"Median of {result['rounds']} rounds taken in turns, with the lowest and highest.",
        "",
        *_speeds({"": result}),
    ]
    ways = {way: None for part in result["networks"].values() for way in part["ratio_to_ours"]}
    del ways["plain"], ways["ours"]
    lines += ["", "Speed relative to ours with one technique changed:", ""]
    lines += [f"| Network | {' | '.join(ways)} |", f"| --- |{' --- |' * len(ways)}"]
    for name, part in result["networks"].items():
        cells = (_range(part["ratio_to_ours"].get(way), 2) for way in ways)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [
        "",
        "A run's other work: images per second, their ratio to training, and the seconds to select masks:",
        "",
    ]
    lines += ["| Network | SNIP (samples/s) | to training | evaluation (samples/s) | to training | selecting (s) |"]
    lines += ["| --- | --- | --- | --- | --- | --- |"]
    for name, part in result["networks"].items():
        # Results of earlier versions have neither.
        ratios, speeds = part.get("other_work_to_training", {}), part["samples_per_s"]
        cells = (f"{_range(speeds.get(way), 0)} | {_range(ratios.get(way), 2)}" for way in ("SNIP", "evaluation"))
        lines.append(f"| {name} | {' | '.join(cells)} | {part['select_s']:.3f} |")
    return "\n".join([*lines, "", *_jobs(result), *_run_shares(result), ""])


def compare_kinds(results: dict[str, dict[str, Any]]) -> str:
    """Return one table of the speed of several machines.

    Args:
        results: the results by the name that a row gives the machine.
    """
    return "\n".join(_speeds(results))


def _speeds(results: dict[str, dict[str, Any]]) -> list[str]:
    columns = ("plain loop (samples/s)", "ours (samples/s)", "ratio", "precision", "GEMM (GFLOP/s)", "ours of that")
    head = ["Network", *(["Processor"] if len(results) > 1 else []), *columns, "in float32, of its GEMM"]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for name in {name: None for result in results.values() for name in result["networks"]}:
        for machine, result in results.items():
            part = result["networks"][name]
            cells = [
                name,
                *([machine] if len(results) > 1 else []),
                _range(part["samples_per_s"]["plain"], 0),
                _range(part["samples_per_s"]["ours"], 0),
                _range(part["ratio_to_plain"]["ours"], 2),
                part["precision"],
                f"{part['gemm_gflops_per_s'][part['precision']]:,.0f}",
                _range(part["fraction_of_ceiling"], 2),
                _range(part.get("float32_fraction_of_ceiling"), 2),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


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


def _run_shares(result: dict[str, Any]) -> list[str]:
    """Return a table of where the seconds of a run go; results of earlier versions have none."""
    found = result.get("run_shares", {})
    if not found:
        return []
    sizes = "; ".join(
        f"{name}: {part['images']:,} images, T = 2, 2 epochs, {part['precision']}" for name, part in found.items()
    )
    lines = [
        "",
        f"Where the seconds of a run go: a short one as measured ({sizes}), and one of the paper's shape (50,000 "
        "images, T = 8, 50 epochs, APP with SNIP) projected from what a sample, a pruning and a checkpoint cost there.",
        "",
        f"| | {' | '.join(f'{name}: measured (s) | share | projected (s) | share' for name in found)} |",
        f"| --- |{' --- | --- | --- | --- |' * len(found)}",
    ]
    columns = [part[key] for part in found.values() for key in ("seconds", "projected_s")]
    for part in (*columns[0], "all"):
        cells = []
        for column in columns:
            whole = sum(column.values())
            seconds = whole if part == "all" else column[part]
            cells.append(f"{seconds:,.1f} | {100 * seconds / whole:.1f} %")
        lines.append(f"| {part} | {' | '.join(cells)} |")
    return lines


def _range(spread: dict[str, float] | None, digits: int) -> str:
    if spread is None:  # not measured on this machine, or not yet in its day
        return "–"
    median, low, high = (f"{spread[key]:,.{digits}f}" for key in ("median", "min", "max"))
    return f"{median} ({low}–{high})"
