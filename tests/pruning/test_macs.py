"""Test how the multiply-accumulate operations of a network are counted."""

import pytest
import torch
from torch import nn

from anytime_pruning import build_model
from anytime_pruning.pruning.macs import count_macs


def test_convolutions_and_linear_layers_are_counted_by_hand():
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),  # The feature maps have 8 x 8 pixels.
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=4, bias=False),  # The feature maps have 4 x 4 pixels.
        nn.Flatten(),
        nn.Linear(128, 5),
    )
    macs = count_macs(model, (3, 8, 8))
    assert macs.positions == {"0.weight": 64, "2.weight": 16}
    assert macs.fixed == 640
    # A convolution counts its output channels * its input channels per group * 9 * its pixels.
    assert macs.total({"0.weight": 8 * 3 * 9, "2.weight": 8 * 2 * 9}) == 8 * 3 * 9 * 64 + 8 * 2 * 9 * 16 + 640
    assert macs.total({"0.weight": 0, "2.weight": 1}) == 16 + 640


def test_resnet20_has_the_known_count():
    """Compare with the 40.55 million that are reported for option A at 32 x 32.

    The reported number counts convolutions alone; the classifier adds 640.
    """
    model = build_model("resnet20", 10, (3, 32, 32))
    macs = count_macs(model, (3, 32, 32))
    weights = {name: weight.numel() for name, weight in model.named_parameters() if name in macs.positions}
    stem, stages = (
        3 * 16 * 9 * 1024,
        6 * 16 * 16 * 9 * 1024 + (16 * 32 + 5 * 32 * 32) * 9 * 256 + (32 * 64 + 5 * 64 * 64) * 9 * 64,
    )
    assert macs.total(weights) == stem + stages + 640
    assert macs.total(weights) == pytest.approx(40.55e6, rel=1e-3)


def test_a_layer_used_twice_counts_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(4, 4, 1, bias=False)

        def forward(self, x):
            return self.conv(self.conv(x)).flatten(1)

    assert count_macs(Twice(), (4, 3, 3)).positions == {"conv.weight": 18}


def test_counting_leaves_the_network_as_it_was():
    model = build_model("resnet20", 10, (1, 8, 8))
    model.train()
    model.network.blocks[0].eval()
    modes = [module.training for module in model.modules()]
    before, random = {n: t.clone() for n, t in model.state_dict().items()}, torch.get_rng_state()
    count_macs(model, (1, 8, 8))
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(module._forward_hooks for module in model.modules())
