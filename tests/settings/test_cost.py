"""Test the planned cost of a run against formulas and against what a run does."""

import json

import pytest
import torch
from conftest import read_csv

import anytime_pruning.pruning.mask_chooser
import anytime_pruning.stream.images
from anytime_pruning import run_stream
from anytime_pruning.settings.cost import plan_cost


def test_full_replay_costs_t_times_n():
    """Check the formula E * N * (T + 1) / 2 for training samples, here without validation parts."""
    for n_megabatches in (1, 4, 9):
        n = 900 * n_megabatches
        cost = plan_cost(5, [False] * n_megabatches, [(900 * t, 0, 0) for t in range(1, n_megabatches + 1)], 0)
        assert cost.train == 5 * n * (n_megabatches + 1) // 2


@pytest.mark.parametrize("method", ["app", "osp", "dense"])
def test_what_is_planned_is_what_passes_through_the_network(method, tiny, tmp_path, monkeypatch):
    """Count samples where batches are made.

    Batches within `score` are for scoring, other batches without gradients for evaluation, and all others for training.
    """
    counted = {"train": 0, "score": 0, "evaluate": 0}
    scoring = []
    plan = anytime_pruning.stream.images.ImageSet.plan
    score = anytime_pruning.pruning.mask_chooser.score

    def watched_plan(self, indices, *args):
        kind = "score" if scoring else "train" if torch.is_grad_enabled() else "evaluate"
        counted[kind] += len(indices)
        return plan(self, indices, *args)

    def watched_score(model, pruner, batches, generator):
        scoring.append(1)
        try:
            return score(model, pruner, batches, generator)
        finally:
            scoring.clear()

    monkeypatch.setattr(anytime_pruning.stream.images.ImageSet, "plan", watched_plan)
    monkeypatch.setattr(anytime_pruning.pruning.mask_chooser, "score", watched_score)
    metrics = run_stream(tiny(method=method), tmp_path)
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
