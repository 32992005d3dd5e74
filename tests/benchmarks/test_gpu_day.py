"""Test a day on a GPU with parts that are small scripts: what is stopped, skipped, tried again and left behind."""

import json
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace

import pytest
from conftest import ROOT
from patience import PATIENCE_S

from benchmarks.gpu_day import __main__, conduct, mps
from benchmarks.gpu_day.plan import STAGES, Day, Part, Training, plan_parts
from benchmarks.gpu_day.record import NAME, Record

SAYS = 'print(\'{"measured": "number", "value": 7}\', flush=True)\n'
GPU = {"gpus": ["NVIDIA H100 80GB HBM3"], "torch": "2", "commit": None, "modified": None}


class Still(conduct.Clock):
    """Tells a time that a test sets: `ample` until the file `cue` exists, and `scarce` from then on."""

    def __init__(self, cue, ample=1000.0, scarce=1000.0):
        super().__init__(ample)
        self.cue, self.ample, self.scarce = cue, ample, scarce

    def left(self):
        return self.scarce if self.cue.exists() else self.ample


@pytest.fixture
def day(tmp_path, monkeypatch):
    monkeypatch.setattr(conduct, "_look_at_the_machine", lambda: GPU)
    return Day(tmp_path / "out", tmp_path / "data")


@pytest.fixture
def conducted(day, tmp_path):
    """Return a function that conducts parts given as scripts by name, and returns the status and the record."""

    def run(scripts, clock=None, least_s=1, most_s=1000):
        parts = [Part(name, (sys.executable, "-c", code), least_s, most_s) for name, code in scripts.items()]
        record = Record(day.out, False)
        status = conduct.conduct(parts, record, clock or Still(tmp_path / "never"), day)
        return status, json.loads((day.out / NAME).read_text())["parts"]

    return run


def test_each_measurement_is_in_the_file_before_the_next_is_made(conducted, day):
    """Let the part itself read the file that the program writes."""
    path = day.out / NAME
    reads = (
        "import json, time\n"
        "for _ in range(1000):\n"
        f"    found = json.load(open({str(path)!r}))['parts']['speed/a']\n"
        "    if found['measured']: break\n"
        "    time.sleep(0.1)\n"
        "print(json.dumps({'measured': 'seen', 'value': [found['state'], found['measured']]}), flush=True)\n"
    )
    status, parts = conducted({"speed/a": SAYS + reads})
    assert status == 0
    assert parts["speed/a"]["measured"] == {"number": 7, "seen": ["running", {"number": 7}]}
    assert parts["speed/a"]["state"] == "done"


def test_a_part_that_fails_is_named_the_others_run_and_it_is_tried_last_in_the_next_call(conducted, tmp_path, capsys):
    mark = f"open({str(tmp_path / 'order')!r}, 'a').write('%s ')\n"
    good, bad = mark % "good", mark % "bad" + "print('what went wrong'); raise SystemExit(5)"
    status, parts = conducted({"probe": bad, "speed/a": good})
    assert status == conduct.SOME_FAILED == 1
    assert parts["probe"]["reason"] == "exit status 5: what went wrong"
    assert "probe: failed after" in capsys.readouterr().out
    status, parts = conducted({"probe": mark % "mended", "speed/a": good, "speed/b": good})
    assert status == 0
    # The finished part is skipped, and the one that failed waits for all others.
    assert (tmp_path / "order").read_text().split() == ["bad", "good", "good", "mended"]
    assert parts["probe"] | {"seconds": 0} == {"state": "done", "seconds": 0, "calls": 2, "measured": {}, "reason": ""}


def test_what_runs_is_stopped_in_time_and_begins_anew_in_the_next_call(conducted, tmp_path):
    cue, ended = tmp_path / "cue", tmp_path / "ended"
    waits = (
        "import signal, sys, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (open({str(ended)!r}, 'w'), sys.exit(143)))\n"
        + SAYS
        + f"open({str(cue)!r}, 'w')\ntime.sleep(600)\n"
    )
    # The scarce time is enough to stop, and for no further start.
    status, parts = conducted({"speed/a": waits, "speed/b": SAYS}, Still(cue, scarce=conduct.GRACE_S - 1))
    assert status == conduct.GO_ON == 3
    assert ended.exists()
    assert (parts["speed/a"]["state"], parts["speed/a"]["reason"]) == ("stopped", "the time was up")
    assert parts["speed/a"]["measured"] == {"number": 7}
    assert "speed/b" not in parts
    status, parts = conducted({"speed/a": SAYS, "speed/b": SAYS})
    assert status == 0
    assert [part["calls"] for part in parts.values()] == [2, 1]


def test_a_part_that_does_not_stop_is_killed_with_everything_that_it_started(conducted, tmp_path):
    cue, pids = tmp_path / "cue", tmp_path / "pids"
    stubborn = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        f"open({str(cue)!r}, 'w')\n"
        "time.sleep(600)\n"
    )
    status, parts = conducted({"speed/a": stubborn}, Still(cue, scarce=0))
    assert (status, parts["speed/a"]["state"]) == (3, "stopped")
    for pid in pids.read_text().split():
        assert wait_until(lambda pid=pid: is_gone(int(pid)))


def test_a_part_that_takes_too_long_has_failed(conducted):
    status, parts = conducted({"speed/a": "import time; time.sleep(600)", "speed/b": SAYS}, most_s=0.5)
    assert parts["speed/a"]["state"] == "failed"
    assert parts["speed/a"]["reason"].startswith("it took longer than")
    assert status == 1


def test_no_part_starts_that_cannot_use_the_time(conducted, tmp_path, capsys):
    clock = Still(tmp_path / "never", ample=100)
    status, parts = conducted({"speed/a": SAYS}, clock, least_s=200)
    assert (status, parts) == (3, {})
    assert "speed/a: not started: needs 220 s, and 100 s are left" in capsys.readouterr().out
    # What was stopped after 60 seconds is not started with less than one and a half times as much.
    Record(tmp_path / "out", False).update("speed/a", state="stopped", seconds=60.0)
    for left, status in ((89, 3), (91, 0)):
        clock = Still(tmp_path / "never", ample=left)
        clock.seconds = 500
        assert conducted({"speed/a": SAYS}, clock)[0] == status


def test_a_part_that_needs_more_than_a_call_gets_a_whole_call(conducted, tmp_path):
    Record(tmp_path / "out", False).update("speed/a", state="stopped", seconds=80.0)
    clock = Still(tmp_path / "never", ample=95)
    clock.seconds = 100
    assert conducted({"speed/a": SAYS}, clock)[0] == 0


RUNS = """
import sys
from pathlib import Path
from benchmarks.gpu_day import conduct
from benchmarks.gpu_day.plan import Day, Part
from benchmarks.gpu_day.record import Record

conduct._look_at_the_machine = lambda: {"gpus": ["a GPU"]}
out = Path(sys.argv[1])
part = Part("speed/a", (sys.executable, "-c", sys.argv[2]), 1, 1000)
sys.exit(conduct.conduct([part], Record(out, False), conduct.Clock(1000), Day(out, out)))
"""
COUNTS = (
    "import itertools, json, os\n"
    "for i in itertools.count():\n"
    "    print(json.dumps({'measured': f'number {i % 100}', 'value': [os.getpid()] * 200}), flush=True)\n"
)


def test_trainings_share_the_gpu_side_by_side(day, tmp_path, monkeypatch, capsys):
    """Let two trainings wait for each other, and a third do without MPS, which does not start the second time."""
    meets = "import os, sys, time; open(sys.argv[1], 'w')\nwhile not os.path.exists(sys.argv[2]): time.sleep(0.02)\n"
    says = "import json, os; print(json.dumps({'measured': 'pipe', 'value': os.environ.get('PIPE', '')}))\n"
    services = iter([lambda: nullcontext({"PIPE": "of MPS"}), mps.service])
    monkeypatch.setattr(conduct, "service", lambda: next(services)())
    monkeypatch.setattr(mps, "CONTROL", "no such program")
    day, record = replace(day, jobs=2), Record(day.out, False)

    def part(name, code, *arguments):
        training = Training(tmp_path / name, "resnet20", 1, 1)
        return Part(f"evidence/{name}", (sys.executable, "-c", code, *arguments), 1, 1000, training=training)

    marks = [str(tmp_path / name) for name in ("a.mark", "b.mark")]
    parts = [part("a", meets + says, *marks), part("b", meets + says, *reversed(marks))]
    assert conduct.conduct(parts, record, conduct.Clock(PATIENCE_S), day) == 0
    assert conduct.conduct([part("c", says)], record, conduct.Clock(PATIENCE_S), day) == 0
    pipes = [record.part(f"evidence/{name}")["measured"]["pipe"] for name in "abc"]
    assert pipes == ["of MPS", "of MPS", ""]
    assert "without MPS, 2 runs take turns on the GPU: " in capsys.readouterr().out


def test_the_file_is_whole_and_nothing_goes_on_when_the_program_is_killed(tmp_path):
    """Kill the program while it writes without pause."""
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", RUNS, str(tmp_path), COUNTS], cwd=ROOT, stdout=subprocess.DEVNULL
        )
        begun = len(json.loads((tmp_path / NAME).read_text())["calls"]) if (tmp_path / NAME).exists() else 0

        def is_writing(begun=begun):
            path = tmp_path / NAME
            content = json.loads(path.read_text()) if path.exists() else {"calls": [], "parts": {}}
            return len(content["calls"]) > begun and bool(content["parts"]) and content["parts"]["speed/a"]["measured"]

        assert wait_until(is_writing)
        child.kill()
        child.wait()
        content = json.loads((tmp_path / NAME).read_text())
        assert content["parts"]["speed/a"]["state"] == "running"
        pids = {value[0] for value in content["parts"]["speed/a"]["measured"].values()}
        assert all(wait_until(lambda pid=pid: is_gone(pid)) for pid in pids)
    record = Record(tmp_path, False)
    assert len(record.content["calls"]) == 3
    assert not list(tmp_path.glob(".*partial*"))


def test_sigterm_ends_a_call_as_its_limit_does(tmp_path):
    waits = f"{SAYS}import time; time.sleep(600)"
    child = subprocess.Popen([sys.executable, "-c", RUNS, str(tmp_path), waits], cwd=ROOT, stdout=subprocess.PIPE)
    for line in child.stdout:
        if b"number" in line:
            child.terminate()
            break
    assert child.wait() == 3
    assert Record(tmp_path, False).part("speed/a")["state"] == "stopped"


def test_a_call_begins_at_the_stage_that_it_names(day, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(__main__, "conduct", lambda parts, *given: seen.append([part.stage for part in parts]) or 0)
    assert __main__.main(["--rehearse", "--out", str(day.out)]) == 0
    assert list(dict.fromkeys(seen[0])) == list(STAGES)
    assert __main__.main(["--rehearse", "--out", str(day.out), "--from", "resume"]) == 0
    assert list(dict.fromkeys(seen[1])) == ["resume", "evidence"]
    with pytest.raises(SystemExit):
        __main__.main(["--out", str(day.out), "--from", "nonsense"])
    assert "invalid choice: 'nonsense'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        __main__.main(["--out", str(day.out), "--jobs", "0"])
    assert "argument --jobs: '0' is not allowed: use a whole number of at least 1" in capsys.readouterr().err


def test_mistakes_are_one_line(day, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(conduct, "_look_at_the_machine", lambda: GPU | {"gpus": []})
    assert __main__.main(["--out", str(day.out)]) == 2
    assert capsys.readouterr().err == (
        "error: device: this machine has no CUDA device; use --rehearse to go through the stages on a CPU\n"
    )
    assert not day.out.exists()
    Record(day.out, False).begin_call()
    assert __main__.main(["--out", str(day.out), "--rehearse"]) == 2
    assert "its gpu-day.json is not that of a rehearsal; name another folder" in capsys.readouterr().err
    (day.out / NAME).write_text('{"parts": 3}')
    assert __main__.main(["--out", str(day.out), "--rehearse"]) == 2
    assert "not a record of benchmarks.gpu_day" in capsys.readouterr().err
    (tmp_path / "wrong.yaml").write_text("study: x\ngrid: []\n")
    assert __main__.main(["--out", str(tmp_path / "new"), "--study", str(tmp_path / "wrong.yaml")]) == 2
    assert not (tmp_path / "new").exists()


def test_a_run_without_data_fails_and_does_not_begin(day, conducted):
    part = next(part for part in plan_parts(day) if part.stage == "evidence")
    record = Record(day.out, False)
    assert conduct.conduct([part], record, conduct.Clock(1000), day) == 1
    assert record.part(part.name)["reason"].startswith("not run: no cifar100 in")


def wait_until(is_so):
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def is_gone(pid):
    """Return whether a process has ended; one that waits for its parent to notice counts as ended."""
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True
