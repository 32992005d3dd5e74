"""Test that the zoo tells networks that work from networks that are refused, warned about, or faulty."""

import json
import sys
import warnings

import pytest
from conftest import ROOT

from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.errors import SettingError
from benchmarks.zoo import __main__, steps
from benchmarks.zoo.table import STEPS, to_markdown

TOYS = """
import os
import time

from torch import nn

from benchmarks.zoo.networks import Network


def right(n_classes, image_shape):
    return nn.Sequential(
        nn.Conv2d(image_shape[0], 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, n_classes)
    )


def crashing(n_classes, image_shape):
    os._exit(7)


def endless(n_classes, image_shape):
    time.sleep(3600)


NETWORKS = {
    "right": Network("toys", right, 8),
    "crashing": Network("toys", crashing, 8),
    "endless": Network("toys", endless, 8),
}
"""


@pytest.fixture
def toys(tmp_path):
    (tmp_path / "toys.py").write_text(TOYS)
    return ["--networks", str(tmp_path / "toys.py"), "--out", str(tmp_path / "out"), "--jobs", "1"]


def test_a_right_network_works_and_a_faulty_one_is_a_fault_with_exit_status_1(toys, tmp_path, capsys):
    pytest.importorskip("onnxscript", reason="the extras are not installed (envs/extras.txt)")
    assert __main__.main([*toys, "--only", "right"]) == 0
    assert __main__.main([*toys, "--only", "crashing"]) == 1
    assert __main__.main([*toys, "--only", "endless", "--limit", "1"]) == 1
    said = capsys.readouterr()
    assert "FAULT: crashing: build: the process ended with status 7" in said.err
    assert "FAULT: endless: build: no end within 1 seconds" in said.err
    stored = json.loads((tmp_path / "out" / "zoo.json").read_text())["networks"]
    assert list(stored) == ["right", "crashing", "endless"]
    assert {outcome["step"]: outcome["verdict"] for outcome in stored["right"]["outcomes"]} == dict.fromkeys(
        steps.STEPS, "works"
    )
    table = (tmp_path / "out" / "zoo.md").read_text()
    assert "| right | toys | 8 | 0.0 | works | works |" in table
    assert "FAULT (1)" in table


def test_finished_networks_are_not_tried_again(toys, tmp_path, monkeypatch):
    tried = []

    def instead(file, name, network, limit):
        tried.append(name)
        return {"library": "toys", "pixels": 8, "parameters": 1, "outcomes": [], "seconds": 0.0}

    monkeypatch.setattr(__main__, "_try_in_a_process", instead)
    for arguments, expected in (
        (["--only", "right"], ["right"]),
        (["--resume"], ["crashing", "endless"]),
        ([], ["right", "crashing", "endless"]),
    ):
        tried.clear()
        assert __main__.main([*toys, *arguments]) == 0
        assert tried == expected
    assert len(json.loads((tmp_path / "out" / "zoo.json").read_text())["networks"]) == 3


def test_mistakes_are_one_line(toys, monkeypatch, capsys):
    assert __main__.main([*toys, "--only", "wrong"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "error: --only: 'wrong' is not allowed; allowed: right, crashing, endless"
    monkeypatch.setattr(__main__, "_version", lambda package: None)
    assert __main__.main(["--only", "resnet10t"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "error: timm is not installed; pip install -r envs/zoo.txt"


def refused():
    raise SettingError("a: b is not allowed")


def broken():
    return {}["missing"]


@pytest.mark.parametrize(
    ("work", "verdict", "line"),
    [
        (lambda: None, "works", ""),
        (refused, "refused", "a: b is not allowed"),
        (lambda: warn("a layer is empty"), "warned", "a layer is empty"),
        (broken, "FAULT", "KeyError: 'missing'"),
        (lambda: print("Traceback", file=sys.stderr), "FAULT", "noise: Traceback"),
        (lambda: warnings.warn("deprecated", stacklevel=1), "FAULT", "deprecated"),
    ],
    ids=["works", "refused", "warned", "raises", "prints", "warns"],
)
def test_a_step_is_judged_by_what_it_raises_and_prints(work, verdict, line, capfd):
    with capfd.disabled():
        outcome = steps._judge("run", work)
    assert outcome.verdict == verdict
    assert line in outcome.line


def test_the_table_in_the_repository_is_made_of_the_stored_outcomes():
    results = ROOT / "benchmarks" / "results"
    stored = json.loads((results / "zoo.json").read_text())
    assert (results / "zoo.md").read_text() == to_markdown(stored)
    verdicts = {o["verdict"] for network in stored["networks"].values() for o in network["outcomes"]}
    assert verdicts <= {"works", "refused", "warned", "not tried"}
    assert set(STEPS) < set(steps.STEPS)
    assert "(../../benchmarks/results/zoo.md)" in (ROOT / "docs" / "how-to" / "network.md").read_text()
