"""Test seeds of the generators of the process."""

import random

import numpy as np
import pytest
import torch

from anytime_pruning.foundation.torch_fixes.seeding import generators_restored, seed_generators


def test_the_draws_are_those_of_torchs_own_function():
    torch.manual_seed(5)
    expected = torch.rand(3)
    seed_generators(5)
    assert torch.equal(torch.rand(3), expected)


def test_all_generators_are_seeded_and_brought_back():
    def draw():
        return torch.rand(()).item(), random.random(), np.random.rand()  # noqa: NPY002

    drawn = []
    for _ in range(2):
        with generators_restored():
            outside = draw()
        with generators_restored():
            seed_generators(2**63 - 1)
            drawn.append(draw())
        assert draw() == outside
    assert drawn[0] == drawn[1]


def test_nothing_is_kept_for_devices_that_are_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    kept = [module._queued_calls for module in (torch.cuda, torch.xpu, torch.mtia)]
    before = [len(calls) for calls in kept]
    seed_generators(5)
    assert [len(calls) for calls in kept] == before


@pytest.mark.parametrize("has_gpu", [True, False])
def test_gpus_are_seeded_if_torch_can_use_one(has_gpu, monkeypatch):
    seeds = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeds.append)
    seed_generators(5)
    assert seeds == [5] * has_gpu
