"""Test that a network is the same after a trial as before, whatever the trial did."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from anytime_pruning.machine.preservation import Snapshot, preserved, want_gradients


class Counting(nn.Module):
    """Keeps numbers, lists and tables that its forward pass changes."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)
        self.register_buffer("table", None, persistent=False)
        self.register_parameter("steps", nn.Parameter(torch.zeros(2, dtype=torch.int64), requires_grad=False))
        self.calls, self.seen, self.scale = 0, [], torch.ones(3)

    def forward(self, x):
        self.calls += 1
        self.seen.append(self.calls)
        self.scale.mul_(2)
        self.steps.data.add_(1)
        self.table = torch.linspace(0, 1, x.shape[-1])
        self.late = nn.Linear(2, 2)
        return self.norm(self.conv(x)).mean((2, 3))


def describe(model):
    state = {name: (tensor.dtype, tensor.tolist()) for name, tensor in model.state_dict().items()}
    return state, [name for name, _ in model.named_modules()], [module.training for module in model.modules()]


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
def test_everything_is_as_it_was_also_after_an_error(error):
    model = Counting()
    model.norm.eval()
    model.conv.weight.requires_grad_(False)
    model.conv.bias.grad = torch.ones(2)
    weight, gradient, table, before = model.conv.weight, model.conv.bias.grad, model.scale, describe(model)
    try:
        with preserved(model):
            model.train()
            want_gradients(model)
            model(torch.rand(2, 1, 4, 4)).sum().backward()
            model.conv.weight.data = model.conv.weight.data.double()
            model.norm._parameters["weight"] = nn.Parameter(torch.zeros(2))
            model.conv.register_forward_hook(lambda *_: None)
            if error:
                raise error
    except (RuntimeError, KeyboardInterrupt):
        pass
    assert describe(model) == before
    assert model.conv.weight is weight
    assert not weight.requires_grad
    assert model.conv.bias.grad is gradient
    assert gradient.tolist() == [1, 1]
    assert model.norm.weight.tolist() == [1, 1]
    assert (model.calls, model.seen, model.table) == (0, [], None)
    assert model.scale is table
    assert table.tolist() == [1, 1, 1]
    assert not hasattr(model, "late")
    assert not model.conv._forward_hooks


def test_random_states_are_as_they_were():
    for draw in (torch.rand, random.seed, np.random.seed):
        draw(3)
    with preserved(nn.Linear(1, 1)):
        first = (torch.rand(1).item(), random.random(), np.random.rand())  # noqa: NPY002
    assert (torch.rand(1).item(), random.random(), np.random.rand()) == first  # noqa: NPY002


def test_a_scripted_network_is_as_it_was():
    model = torch.jit.script(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with preserved(model):
        model.train()
        model(torch.rand(3, 1, 4, 4))
        model.eval()
        for parameter in model.parameters():
            parameter.data = parameter.data.double()
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_numbers_inside_stay_within_the_context():
    """Check that a forward pass before and after gives the same bits, because memory and values are the same."""
    model, images = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).eval(), torch.rand(2, 1, 5, 5)
    address, before = model[0].weight.data_ptr(), model(images)
    with preserved(model):
        model.train()
        model(images)
    assert model[0].weight.data_ptr() == address
    assert torch.equal(model(images), before)


@pytest.mark.parametrize("on_host", [False, True])
def test_a_snapshot_brings_back_a_network_other_tensors_and_draws(on_host):
    model, momentum = Counting(), torch.arange(6.0).view(2, 3).t()
    place, before, expected = momentum.data_ptr(), describe(model), momentum.clone()
    snapshot = Snapshot(model, [momentum], on_host)
    draws = torch.rand(3), random.random(), np.random.rand()  # noqa: NPY002
    for _ in range(2):  # a snapshot can be restored more than once
        model(torch.rand(2, 1, 4, 4)).sum().backward()
        momentum.mul_(7)
        snapshot.restore()
        assert describe(model) == before
        assert all(parameter.grad is None for parameter in model.parameters())
        assert momentum.data_ptr() == place
        assert momentum.stride() == (1, 3)
        assert torch.equal(momentum, expected)
    assert torch.equal(torch.rand(3), draws[0])
    assert (random.random(), np.random.rand()) == draws[1:]  # noqa: NPY002
