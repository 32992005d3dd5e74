"""Rehearse a day on a GPU on a CPU: all stages once, and a run of the evidence that is stopped and gone on with."""

import json
import sys

import pytest
import yaml
from safetensors.numpy import load_file
from warm_python import warm_python

from anytime_pruning import run_stream
from anytime_pruning.results.layout import METRICS, WEIGHTS
from benchmarks.gpu_day import __main__, conduct
from benchmarks.gpu_day.plan import STAGES, Day, plan_parts
from benchmarks.gpu_day.record import NAME

STUDY = {
    "study": "toy",
    "execution": {"device": "cpu", "checkpoint_share": 0},
    "defaults": {"dataset": "digits", "model": "resnet20", "n_megabatches": 2, "train_limit": 300},
    "grid": [{"method": "app", "epochs": 8, "lr_milestones": [4], "seed": 0}],
}


class Cued(conduct.Clock):
    """Tells ample time until a log holds some text, and from then on just enough to stop."""

    def __init__(self, folder, text):
        super().__init__(10_000)
        self.folder, self.text = folder, text

    def left(self):
        is_due = any(self.text in log.read_text(errors="replace") for log in self.folder.glob("logs/*.log"))
        return conduct.REHEARSED_GRACE_S - 0.1 if is_due else self.seconds


def read(folder):
    return json.loads((folder / NAME).read_text())


@pytest.fixture(autouse=True)
def _warm(monkeypatch):
    """Let the processes of a day find their packages imported."""
    monkeypatch.setattr(sys, "executable", str(warm_python()))


@pytest.fixture
def machine(monkeypatch):
    """Spare a process that looks for GPUs, which there are none in a rehearsal."""
    monkeypatch.setattr(conduct, "_look_at_the_machine", lambda: {"gpus": []})


@pytest.mark.long(70)
def test_a_rehearsal_goes_through_all_stages_once(tmp_path, data_dir, capsys):
    arguments = ["--rehearse", "--out", str(tmp_path), "--data", str(data_dir), "--seconds", "100000"]
    assert __main__.main(arguments) == 0
    said = capsys.readouterr().out
    parts = read(tmp_path)["parts"]
    assert {name.partition("/")[0] for name in parts} == set(STAGES)
    assert {name: part["state"] for name, part in parts.items() if part["state"] != "done"} == {
        "compile/resnet20": "not run"
    }
    assert parts["compile/resnet20"]["reason"] == "not run: no CUDA device"
    for name, key in (
        ("probe", "a recorded step equals an unrecorded one"),
        ("speed/resnet20", "recorded: steps do not wait for the GPU"),
        ("sharing/resnet20", "with MPS"),
    ):
        assert parts[name]["measured"][key] == "not run: no CUDA device"
    assert parts["probe"]["measured"]["two unrecorded trainings are equal, float32"] is True
    assert {"recorded", "unrecorded", "plain"} < parts["speed/resnet20"]["measured"].keys()
    assert any("convolution" in line for line in parts["profile/resnet20"]["measured"]["kernels"])
    assert parts["sharing/resnet20"]["measured"]["2 job(s)"]["median"] > 0
    assert parts["resume"]["measured"]["as usual: killed after a checkpoint"] is True
    assert parts["resume"]["measured"]["as usual: weights have the same bits"] is True
    assert " skipped" in parts["tests"]["measured"]["pytest"] or " passed" in parts["tests"]["measured"]["pytest"]
    # Every measurement was said on a line of its own, and the results lie as the workflow would put them.
    for name, part in parts.items():
        assert all(f"{name}: {key}: " in said for key in part["measured"] if key not in ("final", "cost", "hardware"))
    planned = [part for part in plan_parts(Day(tmp_path, data_dir, rehearse=True)) if part.training]
    for part in planned:
        content = json.loads((part.training.folder / METRICS).read_text())
        assert parts[part.name]["measured"]["final"] == content["final"]
        assert part.training.samples == pytest.approx(content["cost"]["planned_samples"]["train"], rel=0.02)
        assert part.training.folder.is_relative_to(tmp_path / "results/rehearsal/runs")

    assert __main__.main(arguments) == 0
    assert read(tmp_path)["parts"] == parts
    assert len(read(tmp_path)["calls"]) == 2


def test_a_run_that_is_stopped_by_the_time_limit_ends_as_one_that_is_not(machine, tmp_path, data_dir, capsys):
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDY))
    out = tmp_path / "out"
    arguments = ["--rehearse", "--out", str(out), "--data", str(data_dir), "--from", "evidence"]
    arguments += ["--study", str(tmp_path / "study.yaml")]
    assert __main__.main(arguments, Cued(out, "megabatch 1/2")) == conduct.GO_ON
    ((name, part),) = read(out)["parts"].items()
    assert (part["state"], part["reason"]) == ("stopped", "the time was up")
    assert 8 * 135 <= part["measured"]["sample passes"] < 8 * (135 + 270)
    said = capsys.readouterr().out
    assert f"{name}: megabatch 1/2: density 0.800" in said
    assert "sample passes\n" in said

    assert __main__.main(arguments) == 0
    part = read(out)["parts"][name]
    assert (part["state"], part["calls"]) == ("done", 2)
    settings = STUDY["defaults"] | STUDY["grid"][0]
    settings |= {"execution": {"device": "cpu", "data_dir": str(data_dir)}}
    whole = run_stream(settings, tmp_path / "whole")
    assert part["measured"]["final"] == whole["final"]
    (stopped,) = out.rglob(WEIGHTS)
    weights = [load_file(path) for path in (stopped, tmp_path / "whole" / WEIGHTS)]
    assert weights[0].keys() == weights[1].keys()
    assert all(weight.tobytes() == weights[1][key].tobytes() for key, weight in weights[0].items())
    (metrics,) = out.rglob(METRICS)
    assert len(json.loads(metrics.read_text())["resumed"]) == 1
