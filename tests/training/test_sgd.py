"""Test SGD with masks against torch's SGD."""

import pytest
import torch
from torch import nn

from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.pruning.selections.unstructured import select_masks
from anytime_pruning.training.sgd import MaskedSGD


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))


def losses(model, n=4):
    images = torch.rand(n, 5, 2, 6, 6, generator=torch.Generator().manual_seed(1))
    return (model(batch).square().mean() for batch in images)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_it_is_the_sgd_of_torch(momentum):
    mine, theirs = network(), network()
    optimizer = MaskedSGD(mine, momentum, weight_decay=0.01)
    reference = torch.optim.SGD(theirs.parameters(), 0.0, momentum=momentum, weight_decay=0.01, fused=True)
    for lr, loss, expected in zip((0.1, 0.1, 0.02, 0.3), losses(mine), losses(theirs)):
        optimizer.set_lr(lr)
        reference.param_groups[0]["lr"] = lr
        loss.backward()
        optimizer.step()
        expected.backward()
        reference.step()
        reference.zero_grad()
        assert all(torch.equal(a, b) for a, b in zip(mine.parameters(), theirs.parameters()))


def test_masks_hold_after_each_step_and_can_be_changed_in_place():
    model = network()
    optimizer = MaskedSGD(model, 0.9, 0.0)
    optimizer.set_lr(0.1)
    (name, weight), *_ = prunable_weights(model).items()
    half, third = (select_masks({name: weight.detach().abs()}, density) for density in (0.5, 0.3))
    assert not optimizer.set_masks(half)  # No weight was masked before.
    kept = []
    for masks, loss in zip((half, half, third, third), losses(model)):
        optimizer.set_masks(masks)
        loss.backward()
        optimizer.step()
        kept.append(torch.equal(weight != 0, masks[name]))
    assert all(kept)
    assert optimizer.set_masks(half)


def test_a_parameter_without_gradient_stays_as_it_is():
    """Check that not even weight decay moves the parameter, as in torch."""
    model = network()
    model.register_parameter("unused", nn.Parameter(torch.ones(3)))
    optimizer = MaskedSGD(model, 0.9, weight_decay=0.1)
    optimizer.set_lr(0.1)
    before = model[0].weight.detach().clone()
    next(losses(model)).backward()
    optimizer.step()
    assert torch.equal(model.unused, torch.ones(3))
    assert not torch.equal(model[0].weight, before)
    assert all(parameter.grad is None for parameter in model.parameters())


class Sliced(nn.Module):
    """Hold a weight that is a part of a larger memory."""

    def __init__(self, dtype):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.weight = nn.Parameter(torch.linspace(-1, 1, 48).view(6, 8)[:, :3].to(dtype) if dtype else self.part())

    @staticmethod
    def part():
        return torch.linspace(-1, 1, 48).view(6, 8)[:, :3]


@pytest.mark.parametrize("dtype", [None, torch.bfloat16, torch.float16, torch.complex64])
def test_a_parameter_that_the_fused_kernel_cannot_update_is_updated_without_it(dtype):
    mine, theirs = Sliced(dtype), Sliced(dtype)
    optimizer = MaskedSGD(mine, 0.9, weight_decay=0.01)
    optimizer.set_lr(0.1)
    reference = torch.optim.SGD(theirs.parameters(), 0.1, momentum=0.9, weight_decay=0.01, foreach=False)
    for _ in range(3):
        for model in (mine, theirs):
            model.weight.grad = torch.ones_like(model.weight)
        optimizer.step()
        reference.step()
    assert torch.allclose(mine.weight, theirs.weight, rtol=0.02, atol=1e-3)
