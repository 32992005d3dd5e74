"""Run the parts while there is time, trainings side by side if asked, and keep every measurement at once."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.results import layout
from benchmarks.gpu_day.clock import Clock, cancelled_by_signals
from benchmarks.gpu_day.mps import service
from benchmarks.gpu_day.plan import Day, Part, samples_done
from benchmarks.gpu_day.process import Outcome, run_process
from benchmarks.gpu_day.record import DONE, FAILED, FINISHED, NOT_RUN, RUNNING, STOPPED, Record
from benchmarks.jobs import ENVIRONMENT

ALL_DONE, SOME_FAILED, GO_ON = 0, 1, 3
# A process gets this long from SIGTERM to its end: a step, and a checkpoint of 300 MB.
GRACE_S, REHEARSED_GRACE_S = 20.0, 3.0


def conduct(parts: list[Part], record: Record, clock: Clock, day: Day) -> int:
    """Run all parts that are not finished, those that failed before last, and return the exit status.

    Raises:
        SettingError: this machine has no GPU, and the call is no rehearsal.
    """
    facts = _look_at_the_machine()
    if not day.rehearse and not facts["gpus"]:
        raise SettingError("device: this machine has no CUDA device; use --rehearse to go through the stages on a CPU")
    record.begin_call(began=datetime.now(UTC).isoformat(timespec="seconds"), seconds=clock.seconds, **facts)
    for part in parts:
        if part.training and (part.training.folder / layout.METRICS).exists():
            # The program may have died between the end of the training and its own note.
            record.update(part.name, state=DONE)
            if "final" not in record.part(part.name)["measured"]:
                _note_training(part, record)
    waiting = [part for part in parts if record.part(part.name)["state"] not in FINISHED]
    waiting.sort(key=lambda part: record.part(part.name)["state"] == FAILED)
    with cancelled_by_signals(clock, _grace_s(day)):
        for trains, group in groupby(waiting, key=lambda part: part.training is not None):
            together = _side_by_side(day) if trains and day.jobs > 1 else nullcontext((1, {}))
            with together as (jobs, variables), ThreadPoolExecutor(jobs) as pool:
                # Going through the results raises what was raised in a thread.
                list(pool.map(lambda part, added=variables: _attend(part, record, clock, day, added), group))
    states = [record.part(part.name)["state"] for part in parts]
    if any(state not in (*FINISHED, FAILED) for state in states):
        return GO_ON
    return SOME_FAILED if FAILED in states else ALL_DONE


@contextmanager
def _side_by_side(day: Day) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield how many trainings share the GPU, and the variables by which they find MPS, if this machine lets it run."""
    with ExitStack() as stack:
        variables: Mapping[str, str] = {}
        if not day.rehearse:
            try:
                variables = stack.enter_context(service())
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                _say("evidence", f"without MPS, {day.jobs} runs take turns on the GPU: {error}")
        yield day.jobs, variables


def _grace_s(day: Day) -> float:
    return REHEARSED_GRACE_S if day.rehearse else GRACE_S


def _attend(part: Part, record: Record, clock: Clock, day: Day, variables: Mapping[str, str]) -> None:
    """Run one part, if it can run and there is time for it."""
    grace_s = _grace_s(day)
    if part.needs:
        # A rehearsal is complete without what only a GPU can do; a day on a GPU is not.
        record.update(part.name, state=NOT_RUN if day.rehearse else FAILED, reason=f"not run: {part.needs}")
        _say(part.name, f"not run: {part.needs}")
        return
    known, left = record.part(part.name), clock.left()
    needed = part.least_s + grace_s
    if known["state"] == STOPPED and not part.training:
        # What was stopped begins anew, so it gets more time than before, or most of a whole call.
        needed = max(needed, min(1.5 * known["seconds"], 0.9 * clock.seconds))
    if left < needed or clock.is_cancelled:
        if not clock.is_cancelled:
            _say(part.name, f"not started: needs {needed:.0f} s, and {max(0, left):.0f} s are left")
        return
    _say(part.name, f"begins; {_expect(part, record, left, day.jobs)}")
    record.update(part.name, state=RUNNING, calls=known["calls"] + 1, reason="")
    began, limit = time.monotonic(), part.most_s
    outcome = run_process(
        part.command,
        ENVIRONMENT | {"PYTHONUNBUFFERED": "1"} | variables,
        day.out / "logs" / f"{part.name.replace('/', '-')}.log",
        lambda: min(clock.left(), limit - (time.monotonic() - began)),
        grace_s,
        lambda line: _listen(line, part, record),
    )
    state, reason = _judge(part, outcome, clock.left() <= grace_s)
    record.update(part.name, state=state, reason=reason, seconds=round(outcome.seconds, 1))
    if part.training:
        _note_training(part, record)
    _say(part.name, f"{state} after {outcome.seconds:.0f} s{f': {reason}' if reason else ''}")


def _judge(part: Part, outcome: Outcome, is_over: bool) -> tuple[str, str]:
    """Return the state of a part that has ended, and the reason if it is not done."""
    if outcome.status == 0:
        return DONE, ""
    if outcome.was_stopped and is_over:
        return STOPPED, "the time was up"
    if outcome.was_stopped:
        return FAILED, f"it took longer than {part.most_s:.0f} s"
    tail = " | ".join(outcome.tail)
    return FAILED, f"exit status {outcome.status}: {tail[-1000:]}"


def _expect(part: Part, record: Record, left: float, jobs: int) -> str:
    """Say how long a run takes at the measured speed, and whether it can be finished, if it has the GPU to itself."""
    if not part.training:
        return f"{left:.0f} s are left"
    done = samples_done(part.training)
    text = f"{done:,} of {part.training.samples:,} sample passes are done"
    speeds = record.part(f"speed/{part.training.network}")["measured"].get("recorded")
    if not isinstance(speeds, dict) or jobs > 1:
        return f"{text}, {left:.0f} s are left"
    seconds = (part.training.samples - done) / speeds["median"]
    outlook = "" if seconds <= left else ": it will be stopped in time, and the next call goes on"
    return f"{text}, the rest takes {seconds / 60:.1f} min at the measured speed, {left / 60:.1f} min are left{outlook}"


def _listen(line: str, part: Part, record: Record) -> None:
    """Keep and show a measurement; other lines stay in the log."""
    if line.startswith('{"measured":'):
        found: dict[str, Any] = json.loads(line)
        record.add(part.name, found["measured"], found["value"])
        _say(part.name, f"{found['measured']}: {_short(found['value'])}")
    elif part.training and line.startswith("megabatch "):
        key, _, text = line.partition(": ")
        record.add(part.name, key, text)
        _say(part.name, line)
    elif part.stage == "tests" and (" passed" in line or " skipped" in line or " failed" in line):
        record.add(part.name, "pytest", line)
        _say(part.name, f"pytest: {line}")


def _note_training(part: Part, record: Record) -> None:
    """Keep how far a run of the evidence has come, or its final numbers."""
    assert part.training
    path = part.training.folder / layout.METRICS
    if path.exists():
        content = json.loads(path.read_text(encoding="utf-8"))
        for key in ("final", "cost", "hardware"):
            record.add(part.name, key, content[key])
    else:
        record.add(part.name, "sample passes", samples_done(part.training))


def _look_at_the_machine() -> dict[str, Any]:
    """Name the GPUs, the commit and torch; a short-lived process asks, because this one should hold no GPU."""
    code = (
        "import json, torch; from anytime_pruning.machine.provenance import describe_commit; "
        "n = torch.cuda.device_count() if torch.cuda.is_available() else 0; "
        "gpus = [torch.cuda.get_device_name(i) for i in range(n)]; "
        "print(json.dumps({'gpus': gpus, 'torch': torch.__version__, **describe_commit()}))"
    )
    answer = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, encoding="utf-8")
    if answer.returncode:
        raise SettingError(f"torch: it cannot be used: {answer.stderr.strip().splitlines()[-1]}")
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


def _short(value: Any) -> str:
    """Return a measurement as one line of moderate length."""
    if isinstance(value, dict) and {"median", "min", "max"} <= value.keys():
        return f"{value['median']:,.0f} ({value['min']:,.0f}–{value['max']:,.0f}) samples/s"
    if isinstance(value, list):
        return f"{len(value)} lines"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 160 else f"{text[:157]}..."


def _say(name: str, text: str) -> None:
    # One write for the whole line, because several threads may speak at once.
    print(f"{name}: {text}\n", end="", flush=True)
