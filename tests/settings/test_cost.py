"""Test the planned cost of a run against formulas and against what a run does."""

import json

import pytest
import torch
from conftest import read_csv

import anytime_pruning.pruning.mask_chooser
import anytime_pruning.stream.images
from anytime_pruning import run_stream
from anytime_pruning.runs.starts import dash
from anytime_pruning.settings.cost import plan_cost
from anytime_pruning.settings.run import parse_settings

BASE = {"dataset": "digits", "model": "resnet20"}


def test_full_replay_costs_t_times_n():
    """Check the formula E * N * (T + 1) / 2 for training samples, here without validation parts."""
    for n_megabatches in (1, 4, 9):
        n = 900 * n_megabatches
        settings = parse_settings({**BASE, "n_megabatches": n_megabatches, "epochs": 5, "method": "dense"})
        cost = plan_cost(settings, [(900 * t, 0, 0) for t in range(1, n_megabatches + 1)], 0)
        assert cost.train == 5 * n * (n_megabatches + 1) // 2


def test_training_once_costs_as_much_as_the_stream_and_waiting_less():
    parts = [(900 * t, 100 * t, 0) for t in range(1, 9)]
    costs = {
        name: plan_cost(parse_settings({**BASE, "n_megabatches": 8, "epochs": 50, **changes}), parts, 1000)
        for name, changes in {
            "stream": {"method": "dense"},
            "once": {"method": "offline"},
            "every third": {"method": "dense", "wait": 3},
        }.items()
    }
    assert costs["once"].train == costs["stream"].train == 50 * 900 * 36
    assert costs["every third"].train == 50 * 900 * (3 + 6 + 8)
    # The network is tested at every megabatch, whether it trains there or not.
    validated = 100 * (51 * (3 + 6 + 8) + 2 * (1 + 2 + 4 + 5 + 7))
    assert costs["every third"].evaluate == validated + 900 * 36 + 8 * 1000


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "app"},
        {"method": "osp"},
        {"method": "dense"},
        {"method": "prune_last"},
        {"method": "offline"},
        {"wait": 2},
        {"start": "dash"},
        {"start": "cold"},
    ],
    ids=str,
)
def test_what_is_planned_is_what_passes_through_the_network(changes, tiny, tmp_path, monkeypatch):
    """Count samples where batches are made.

    Batches within `score` or a start are for scoring, other batches without gradients for evaluation, and all others
    for training.
    """
    counted = {"train": 0, "score": 0, "evaluate": 0}
    scoring = []
    plan = anytime_pruning.stream.images.ImageSet.plan
    score = anytime_pruning.pruning.mask_chooser.score

    def watched_plan(self, indices, *args):
        kind = "score" if scoring else "train" if torch.is_grad_enabled() else "evaluate"
        counted[kind] += len(indices)
        return plan(self, indices, *args)

    def marking(function):
        def marked(*given):
            scoring.append(1)
            try:
                return function(*given)
            finally:
                scoring.clear()

        return marked

    monkeypatch.setattr(anytime_pruning.stream.images.ImageSet, "plan", watched_plan)
    monkeypatch.setattr(anytime_pruning.pruning.mask_chooser, "score", marking(score))
    monkeypatch.setattr(dash, "_negative_gradients", marking(dash._negative_gradients))
    metrics = run_stream(tiny(**changes), tmp_path)
    assert metrics["cost"]["planned_samples"] == counted
    assert metrics["final"]["samples"] == counted["train"]


def test_measured_seconds_are_those_of_the_parts(tiny, tmp_path):
    cost = run_stream(tiny(), tmp_path)["cost"]
    epochs, megabatches = read_csv(tmp_path / "epochs.csv"), read_csv(tmp_path / "megabatches.csv")
    assert cost["train_s"] == pytest.approx(sum(float(row["seconds"]) for row in epochs), abs=2e-3)
    assert cost["stream_s"] == pytest.approx(sum(float(row["seconds"]) for row in megabatches), abs=2e-3)
    assert cost["train_samples_per_s"] == pytest.approx(324 / cost["train_s"], rel=0.05)
    assert 0 < cost["prune_s"] + cost["train_s"] < cost["stream_s"]
    assert json.loads((tmp_path / "metrics.json").read_text())["cost"] == cost
