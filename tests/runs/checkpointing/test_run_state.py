"""Test that the state of a run, as a checkpoint holds it, is the same in another process."""

import json
from dataclasses import replace

import pytest
import torch
from trainers import half_masks

from anytime_pruning.foundation.metrics import MacCount
from anytime_pruning.results.records import Records
from anytime_pruning.results.rows import EpochRow, LayerRow, MegabatchRow
from anytime_pruning.runs.checkpointing.state import RunState
from anytime_pruning.settings.cost import PlannedCost
from anytime_pruning.training.progress import EpochProgress, MegabatchProgress

EPOCH = EpochRow(1, 1, 0.1, 50, 1.5, 40.0, 1.25, 45.0, 0.75)
MEGABATCH = MegabatchRow(1, 0.8, 0.81, 24, 30, 45, 5, 2, 61, 60, 1, 62, 58, 4, 40, 6, 10, 90, 3.5, 0.5, 2, 3)


@pytest.fixture
def begin(make_trainer):
    """Return a function that makes the state of a run that has just begun."""

    def begin():
        records = Records(PlannedCost(train=270, score=20, evaluate=99), MacCount({"a": 4}, fixed=7))
        return RunState(make_trainer(), records, {}, MegabatchProgress())

    return begin


@pytest.fixture
def state(begin):
    """Return the state of a run in the middle of the second epoch of its second megabatch."""
    state = begin()
    model, generator = state.trainer.model, torch.Generator().manual_seed(3)
    for tensor in (*model.parameters(), *state.trainer.optimizer.velocities):
        tensor.data = torch.randn(tensor.shape, generator=generator)
    state.records.append(MEGABATCH, [EPOCH, replace(EPOCH, epoch=2)], [LayerRow(1, "a", 20, 25, 100)])
    state.masks = half_masks(model)
    state.origin = {"a": torch.rand(3, generator=generator)}
    current = EpochProgress(generator.get_state(), torch.rand(4), torch.tensor(17), step=2, seconds=0.5)
    state.progress = MegabatchProgress(2, True, epochs=[replace(EPOCH, t=2)], current=current)
    state.progress.best_state = {"a": torch.rand(2)}
    state.progress.best_masks = {"a": torch.tensor([True, False])}
    torch.manual_seed(11)
    state.trainer.generator.manual_seed(12)
    state.trainer.mark()
    return state


def test_all_of_it_is_the_same_after_it_was_kept(state, begin):
    content = json.loads(json.dumps(state.to_json()))
    tensors = {name: tensor.clone() for name, tensor in state.tensors().items()}
    draws = torch.rand(5), torch.rand(5, generator=state.trainer.generator)
    other = begin()
    other.restore(content, tensors)
    assert torch.equal(torch.rand(5), draws[0])
    assert torch.equal(torch.rand(5, generator=other.trainer.generator), draws[1])
    assert other.records == state.records
    assert str(other.progress) == str(state.progress) == "megabatch 2, epoch 2, step 3"
    assert other.progress.epochs == state.progress.epochs
    for name in ("masks", "origin"):
        found, expected = getattr(other, name), getattr(state, name)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], tensor) for key, tensor in expected.items())
    for found, expected in zip(other.trainer.optimizer.velocities, state.trainer.optimizer.velocities, strict=True):
        assert torch.equal(found, expected)
    for found, expected in zip(other.trainer.model.parameters(), state.trainer.model.parameters(), strict=True):
        assert torch.equal(found, expected)
    # What the other process would keep at once is the same, too.
    assert other.tensors().keys() == tensors.keys()
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in other.tensors().items())


def test_samples_are_those_of_all_finished_epochs(state, begin):
    assert begin().samples == 0
    assert state.samples == 150
