"""Test what a day on a GPU plans, what its stages find, and what it leaves behind."""

import json
import os
import sys
import tarfile
from dataclasses import replace

import psutil
import pytest
from conftest import ROOT

from anytime_pruning.foundation.console import warn
from anytime_pruning.orchestration.forecast.machines import read_machines
from anytime_pruning.settings.run import parse_settings
from benchmarks.gpu_day import __main__, conduct, mps, speeds
from benchmarks.gpu_day.plan import STUDIES, Day, Part, plan_parts
from benchmarks.gpu_day.record import Record
from benchmarks.gpu_day.stages import sharing, speed
from benchmarks.gpu_day.summary import summarize

GPU = {"gpus": ["NVIDIA H100 80GB HBM3"], "torch": "2", "commit": None, "modified": None}


@pytest.fixture
def day(tmp_path, monkeypatch):
    monkeypatch.setattr(conduct, "_look_at_the_machine", lambda: GPU)
    return Day(tmp_path / "out", tmp_path / "data")


def test_the_evidence_is_the_papers_and_comes_in_the_order_of_its_importance(day):
    parts = [part for part in plan_parts(day) if part.stage == "evidence"]
    runs = [parse_settings(json.loads(part.command[part.command.index("--settings") + 1])) for part in parts]
    assert [
        (run.dataset.name, run.model, run.seed, run.method, run.protocol)
        for run in runs
    ] == [
        (dataset, model, seed, method, protocol)
        for dataset, model in (("cifar100", "resnet50"), ("cifar10", "resnet18"))
        for seed in (0, 1, 2)
        for method, protocol in (("dense", "paper"), ("app", "paper"), ("osp", "paper"), ("app", "released"))
    ]  # fmt: skip
    for run, part in zip(runs, parts):
        assert (run.n_megabatches, run.epochs, run.lr_milestones, run.batch_size, run.lr) == (8, 50, (20, 40), 64, 0.1)
        assert run.train_limit is None
        assert part.training.samples == 50 * 45_000 * 4.5
        assert (run.execution.device, run.execution.data_dir) == ("cuda", day.data)
        # Without the data, the run is no good part of a day: it is named and counts as failed.
        assert part.needs.startswith(f"no {run.dataset.name} in {day.data}")
    for part in plan_parts(replace(day, jobs=3, data=ROOT / "gpu-kit/data")):
        if part.training:
            settings = parse_settings(json.loads(part.command[part.command.index("--settings") + 1]))
            assert settings.execution.gpu_slots == 3
            assert str(settings.execution.data_dir) == "gpu-kit/data"
    assert [path.stem for path in STUDIES] == ["gpu-cifar100-resnet50", "gpu-cifar10-resnet18"]


def test_only_files_that_hold_gpu_tests_are_collected(day):
    (tests,) = [part for part in plan_parts(day) if part.name == "tests"]
    files = [word for word in tests.command if word.endswith(".py")]
    assert "tests/training/test_step.py" in files
    assert "tests/project/test_house.py" not in files


def test_the_table_names_goals_and_whether_they_are_met(day):
    parts = [Part("speed/resnet50", (), 1, 1), Part("compile/resnet50", (), 1, 1), Part("speed/resnet20", (), 1, 1)]
    ways = {"recorded": {"median": 13_000.0}, "plain": {"median": 2_500.0}}
    found = {"speed/resnet50": {"state": "done", "measured": ways}}
    found["compile/resnet50"] = {"state": "done", "measured": {"compiled and recorded": {"median": 19_000.0}}}
    found["speed/resnet20"] = {"state": "failed", "reason": "exit status 1", "measured": ways}
    text = summarize({"rehearsal": False, "calls": [GPU], "parts": found}, parts)
    assert "recorded 13,000/s, plain 2,500/s, goal 12,000/s met, 5.2 times the plain loop, goal 6 missed" in text
    assert "compiled and recorded 19,000/s, goal 20,000/s missed" in text
    assert "speed/resnet20    failed: exit status 1; recorded 13,000/s, plain 2,500/s\n" in text + "\n"


def test_the_speeds_of_a_day_are_found_by_the_estimates(day, capsys):
    """Take a day that has measured one network and begun another, and ask how long an hour's operations take."""
    record, flat = Record(day.out, False), {"min": 1.0, "max": 2.0}
    record.begin_call(**GPU)
    whole = {"precision": "bfloat16", "gflop_per_sample": 2.0, "gemm_gflops_per_s": 4e5}
    whole |= {
        way: flat | {"median": median} for way, median in (("recorded", 3e4), ("plain", 1e4), ("unrecorded", 2e4))
    }
    for key, value in whole.items():
        record.add("speed/resnet50", key, value)
        if key != "plain":
            record.add("speed/resnet20", key, value)
    record.add("compile/resnet50", "compiled and recorded", flat | {"median": 5e4})
    record.add("sharing/resnet50", "2 job(s), with MPS", flat | {"median": 6e4})
    record.add("sharing/resnet50", "a server of MPS ran", True)
    assert speeds.publish_speeds(record.content, day.out) is None
    machine = {"id": "nvidia-h100", "name": "NVIDIA H100", "device": "cuda", "torch": "2"}
    record.add("probe", "machine", machine)
    assert speeds.publish_speeds(record.content | {"rehearsal": True}, day.out) is None
    assert speeds.publish_speeds(record.content, day.out) == day.out / "nvidia-h100.json"
    rows = [line.split(" | ") for line in (day.out / "nvidia-h100.md").read_text().splitlines()]
    assert ["| resnet50", "10,000 (1–2)", "20,000 (1–2)", "30,000 (1–2)", "50,000 (1–2)"] in [row[:5] for row in rows]
    assert ["3.0", "bfloat16", "60.0", "0.150 |"] in [row[5:] for row in rows]
    assert ["| resnet50", "2 job(s), with MPS", "60,000 |"] in rows
    (found,) = read_machines(day.out)
    assert (found.name, found.is_gpu) == ("NVIDIA H100", True)
    assert found.hours({("resnet50", False): 6e13 * 3600}) == pytest.approx(1)
    assert found.hours({("resnet20", False): 6e13 * 3600}) == pytest.approx(1)


def test_a_step_that_waits_for_the_gpu_is_found(monkeypatch):
    """Put a step that waits, and one that does not, under torch's debug mode, which a machine without a GPU lacks."""
    modes = []
    monkeypatch.setattr("torch.cuda.set_sync_debug_mode", modes.append)

    class Variant:
        def __init__(self, waits):
            self.trainer, self.waits = type("Trainer", (), {})(), waits
            self.trainer.step = self.step

        def step(self, *batch):
            if self.waits and modes[-1] == "error":
                raise RuntimeError("called a synchronizing CUDA operation\nat some place")

        def train(self, n_steps):
            for _ in range(n_steps):
                self.trainer.step()

    device = type("Device", (), {"type": "cuda"})()
    assert speed.look_for_waiting(Variant(False), device) is True
    waiting = Variant(True)
    assert speed.look_for_waiting(waiting, device) == "no: called a synchronizing CUDA operation"
    assert modes[-1] == "default"
    assert waiting.trainer.step == waiting.step


def test_a_way_that_is_not_what_its_name_says_is_found(capsys):
    """Look at a step that is recorded, at one that is not, and at one that warns."""
    device = type("Device", (), {"type": "cuda"})()

    def make(recorded, warning=""):
        trainer = type("Trainer", (), {"step": type("Step", (), {"is_recorded": recorded})()})()
        return type("Variant", (), {"trainer": trainer, "train": lambda self, n: warning and warn(warning)})()

    assert speed.warm_up("recorded", make(True), device) == []
    assert speed.warm_up("unrecorded", make(False), device) == []
    assert speed.warm_up("recorded", make(False), device) == ["recorded: the step is not recorded"]
    assert speed.warm_up("compiled and recorded", make(False, "it fails"), device) == ["it fails"]


def test_nothing_is_measured_of_a_way_that_is_not_what_its_name_says(monkeypatch, capsys):
    device = type("Device", (), {"type": "cuda"})()
    monkeypatch.setattr(speed, "choose_device", lambda name: device)
    monkeypatch.setattr(speed, "prepare_process", lambda device, threads: None)
    options = type("Options", (), {"precision": "float32"})()
    variant = type("Variant", (), {"trainer": type("Trainer", (), {"options": options})()})()
    monkeypatch.setattr(speed, "_make_ways", lambda *given: {"recorded": variant})
    monkeypatch.setattr(speed, "warm_up", lambda *given: ["the network is not compiled"])
    with pytest.raises(SystemExit, match=r"nothing was measured, .*: the network is not compiled"):
        speed.run_compiled("cuda", "resnet50", "5", "1")
    assert [json.loads(line)["measured"] for line in capsys.readouterr().out.splitlines()] == ["precision"]


CONTROL = """#!{python}
import os, signal, sys, time
from pathlib import Path
pipe = Path(os.environ["CUDA_MPS_PIPE_DIRECTORY"])
if sys.argv[1:] == ["-f"]:
    Path({log!r}).write_text(f"{{os.getpid()}} {{pipe}}")
    (pipe / "control").write_text(str(os.getpid()))
    time.sleep(600)
asked = sys.stdin.read().strip()
if asked == "quit":
    os.kill(int((pipe / "control").read_text()), signal.SIGTERM)
elif not (pipe / "control").exists():
    sys.exit(1)
print("4711")
"""


def test_the_service_runs_in_a_folder_of_its_own_and_is_always_stopped(tmp_path, monkeypatch):
    log = tmp_path / "log"
    program = tmp_path / mps.CONTROL
    program.write_text(CONTROL.format(python=sys.executable, log=str(log)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def use():
        with mps.service() as environment:
            assert mps.ask("get_server_list", os.environ | environment) == "4711\n"
            assert len(environment["CUDA_MPS_PIPE_DIRECTORY"]) < 90
            raise KeyError

    with pytest.raises(KeyError):
        use()
    pid, pipe = log.read_text().split()
    assert not psutil.pid_exists(int(pid))
    assert not os.path.exists(pipe)


def test_a_service_that_does_not_start_is_a_fact_about_the_machine(tmp_path, monkeypatch, capsys):
    program = tmp_path / mps.CONTROL
    program.write_text(f"#!{sys.executable}\nraise SystemExit(1)\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(sharing, "run_together", lambda kind, name, jobs, *given: 100.0 * jobs[0])
    sharing.run("cuda", "resnet20", "1")
    found = {line["measured"]: line["value"] for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert found["4 job(s)"]["median"] == 400
    assert found["with MPS"].startswith("failed: nvidia-cuda-mps-control does not answer; its exit status is 1")


def test_the_small_files_are_packed_and_weights_are_not(tmp_path):
    for name in ("results/s/runs/r/metrics.json", "results/s/runs/r/resume/1.safetensors", "gpu-day.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "results/s/checkpoints").mkdir()
    (tmp_path / "results/s/checkpoints/weights.safetensors").touch()
    for _ in range(2):
        with tarfile.open(__main__.pack_small_files(tmp_path)) as archive:
            assert archive.getnames() == ["gpu-day.json", "results/s/runs/r/metrics.json"]
