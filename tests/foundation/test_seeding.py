"""Test seeds of torch's own generators."""

import pytest
import torch

from anytime_pruning.foundation.torch_fixes.seeding import seed_torch


def test_the_draws_are_those_of_torchs_own_function():
    torch.manual_seed(5)
    expected = torch.rand(3)
    seed_torch(5)
    assert torch.equal(torch.rand(3), expected)


def test_nothing_is_kept_for_devices_that_are_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    kept = [module._queued_calls for module in (torch.cuda, torch.xpu, torch.mtia)]
    before = [len(calls) for calls in kept]
    seed_torch(5)
    assert [len(calls) for calls in kept] == before


@pytest.mark.parametrize("has_gpu", [True, False])
def test_gpus_are_seeded_if_torch_can_use_one(has_gpu, monkeypatch):
    seeds = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeds.append)
    seed_torch(5)
    assert seeds == [5] * has_gpu
