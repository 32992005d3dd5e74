"""Write a short table of a day: the state of each part, its main numbers, and the goals."""

from typing import Any

from benchmarks.gpu_day.plan import Part

# Samples per second of ResNet-50, 32 x 32 pixels, batches of 64: with a CUDA graph by GPU, and compiled with a graph.
RECORDED_GOALS, COMPILED_GOAL, PLAIN_GOAL = {"H100": 12_000, "H200": 15_000}, 20_000, 6


def summarize(content: dict[str, Any], parts: list[Part]) -> str:
    """Return the table as text, one line for each part."""
    gpus = content["calls"][-1]["gpus"] if content["calls"] else []
    known = content["parts"]
    width = max(len(part.name) for part in parts)
    lines = [f"{', '.join(gpus) or 'no GPU'}{'; a rehearsal, whose numbers mean nothing' * content['rehearsal']}"]
    for part in parts:
        found = known.get(part.name, {})
        text = found.get("state") or "–"
        if reason := found.get("reason"):
            text = reason if reason.startswith("not run") else f"{text}: {reason[:80]}"
        numbers = _numbers(part, found.get("measured", {}), " ".join(gpus))
        lines.append(f"{part.name:{width}}  {text}{f'; {numbers}' if numbers else ''}")
    return "\n".join(lines)


def _numbers(part: Part, measured: dict[str, Any], gpu: str) -> str:
    if part.stage in ("speed", "compile"):
        texts = [f"{way} {value['median']:,.0f}/s" for way, value in measured.items() if _is_spread(value)]
        return ", ".join([*texts, *_goals(part, measured, gpu)])
    if part.stage == "evidence" and "final" in measured:
        final, speed = measured["final"], measured["cost"]["train_samples_per_s"]
        return f"test {final['test_acc_pct']:.2f} %, CER {final['cumulative_error_count']}, {speed:,.0f} samples/s"
    if part.stage == "evidence" and "sample passes" in measured:
        assert part.training
        return f"{measured['sample passes']:,} of {part.training.samples:,} sample passes"
    return "; ".join(f"{key}: {value}" for key, value in measured.items() if isinstance(value, bool | str))[:200]


def _goals(part: Part, measured: dict[str, Any], gpu: str) -> list[str]:
    """Compare ResNet-50 with its goals."""
    if not part.name.endswith("/resnet50"):
        return []
    medians = {way: value["median"] for way, value in measured.items() if _is_spread(value)}
    goals = [("recorded", goal) for name, goal in RECORDED_GOALS.items() if name in gpu]
    goals += [("compiled and recorded", COMPILED_GOAL)]
    texts = [f"goal {goal:,}/s {_verdict(medians[way] >= goal)}" for way, goal in goals if way in medians]
    if {"recorded", "plain"} <= medians.keys():
        ratio = medians["recorded"] / medians["plain"]
        texts.append(f"{ratio:.1f} times the plain loop, goal {PLAIN_GOAL} {_verdict(ratio >= PLAIN_GOAL)}")
    return texts


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "missed"


def _is_spread(value: object) -> bool:
    return isinstance(value, dict) and "median" in value
