"""Test runs that train at some megabatches only, and those that train once."""

import itertools

import pytest
import torch
from conftest import read_csv

from anytime_pruning import run_stream
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.models.state import copy_state
from anytime_pruning.runs.rates import learning_rate
from anytime_pruning.settings.run import parse_settings
from anytime_pruning.training.trainer import Trainer
from anytime_pruning.verification.stored import verify

BASE = {"dataset": "digits", "model": "resnet20"}


@pytest.fixture
def states(monkeypatch):
    """Return a list that gets the state of the network after each megabatch."""
    found, train = [], Trainer.train_megabatch

    def watched(trainer, *given):
        result = train(trainer, *given)
        found.append(copy_state(trainer.model))
        return result

    monkeypatch.setattr(Trainer, "train_megabatch", watched)
    return found


def test_a_waiting_network_answers_with_what_it_has(tiny, tmp_path, states):
    run_stream(tiny(n_megabatches=5, train_limit=100, wait=2), tmp_path / "run")
    rows = read_csv(tmp_path / "run" / "megabatches.csv")
    same = [all(torch.equal(a[name], b[name]) for name in a) for a, b in itertools.pairwise(states)]
    assert same == [False, True, False, False]  # it trains at 2, 4 and, as the stream ends there, at 5
    assert [int(row["samples"]) > 0 for row in rows] == [False, True, False, True, True]
    assert [row["best_epoch"] == "0" for row in rows] == [True, False, True, False, False]
    assert rows[1]["error_count"] == rows[2]["error_count"]
    densities = [float(row["density_measured"]) for row in rows]
    scheduled = parse_settings(BASE | {"n_megabatches": 5}).densities()
    expected = [1, scheduled[1], scheduled[1], scheduled[3], scheduled[4]]
    assert densities == pytest.approx(expected, abs=1e-4)
    assert {row["t"] for row in read_csv(tmp_path / "run" / "epochs.csv")} == {"2", "4", "5"}
    *_, done = verify([tmp_path / "run"])
    assert done.problems == []


def test_offline_trains_once_on_everything(tiny, tmp_path):
    metrics = run_stream(tiny(method="offline", n_megabatches=4, epochs=3, lr_milestones=[1, 2]), tmp_path / "run")
    stream = run_stream(tiny(method="dense", n_megabatches=4, epochs=3, lr_milestones=[1, 2]), tmp_path / "stream")
    rows, epochs = (read_csv(tmp_path / "run" / name) for name in ("megabatches.csv", "epochs.csv"))
    assert [int(row["samples"]) for row in rows[:3]] == [0, 0, 0]
    assert len(epochs) == 8  # 3 epochs on 1, 2, 3 and 4 quarters are 7.5 on all
    assert metrics["final"]["samples"] == pytest.approx(stream["final"]["samples"], rel=0.5 / 7.5 + 0.02)
    rates = [float(row["lr"]) for row in epochs]
    assert rates == pytest.approx([0.05] * 3 + [0.005] * 2 + [0.0005] * 3)
    *_, done = verify([tmp_path / "run"])
    assert done.problems == []


def test_milestones_of_the_paper_are_stretched():
    rate = learning_rate(parse_settings(BASE | {"method": "offline"}))
    assert rate.milestones == (90, 180)
    assert learning_rate(parse_settings(BASE)).milestones == (20, 40)


def test_prune_last_is_dense_until_the_end(tiny, tmp_path):
    run_stream(tiny(method="prune_last"), tmp_path)
    densities = [float(row["density_measured"]) for row in read_csv(tmp_path / "megabatches.csv")]
    assert densities == pytest.approx([1, 1, 0.8**4.5], abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"wait": 0}, "wait: 0 is not allowed"),
        ({"protocol": "released", "wait": 2}, "wait: 2 is not allowed with protocol released; allowed: 1"),
    ],
    ids=str,
)
def test_combinations_without_meaning_are_named(changes, message):
    with pytest.raises(SettingError) as caught:
        parse_settings(BASE | changes)
    assert str(caught.value).startswith(message)
