"""Test the mask arithmetic of the published code by numbers worked by hand.

The numbers in the names of tests are those of the points in `pruning/protocols/released.py`.
"""

import copy
import math

import pytest
import torch
from torch import nn

from anytime_pruning import released_masks
from anytime_pruning.foundation.errors import DivergenceError, SettingError
from anytime_pruning.pruning.released_masks import draw_scoring_weights, score_all_weights, select_above_threshold

P1 = math.exp(2) / (1 + math.exp(2))


class Probe(nn.Module):
    """Has one 1 x 1 convolution of two channels on images of one pixel, whose outputs are the logits."""

    def __init__(self, weights=((1.0, 1.0), (1.0, 1.0))):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1, bias=False)
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor(weights).view(2, 2, 1, 1))

    def forward(self, images):
        return self.conv(images).flatten(1)


def batch(pixels, labels):
    return torch.tensor(pixels).view(-1, 2, 1, 1), torch.tensor(labels)


BATCHES = [batch([[1.0, 2.0]], [0]), batch([[1.0, 0.0]], [1])]
UPPER_RIGHT = {"conv.weight": torch.tensor([[True, False], [True, True]]).view(2, 2, 1, 1)}


def snip_scores(masks, batches=BATCHES):
    scores, _ = released_masks(Probe(), masks, batches, "snip", 0.5, "global")
    return scores["conv.weight"].flatten().tolist()


def test_5_masks_are_active_in_the_scored_forward_pass():
    """Check scores by hand.

    With the mask, the first image has logits (1, 3), so the gradient of its loss by the logits is P1 * (-1, 1). The
    second image has logits (1, 1) and the gradient (1/2, -1/2). The gradients by the weights, summed over both, are
    (1/2 - P1, -2 P1) in the first row and the same with the other sign in the second. Without the mask P1 is 1/2.
    """
    total = 2 * (P1 - 0.5 + 2 * P1)
    row = [(P1 - 0.5) / total, 2 * P1 / total]
    assert snip_scores(UPPER_RIGHT) == pytest.approx(row * 2, abs=1e-7)
    assert snip_scores({}) == pytest.approx([0, 0.5, 0, 0.5], abs=1e-7)


def test_5_masks_may_be_numbers():
    as_numbers = {name: mask.float() for name, mask in UPPER_RIGHT.items()}
    assert snip_scores(as_numbers) == snip_scores(UPPER_RIGHT)


def test_9_every_batch_counts_once():
    twice = [BATCHES[0], batch([[1.0, 0.0], [1.0, 0.0]], [1, 1])]
    assert snip_scores(UPPER_RIGHT, twice) == pytest.approx(snip_scores(UPPER_RIGHT), abs=1e-7)


def test_9_pruned_weights_have_scores_and_the_sum_is_one():
    scores = snip_scores(UPPER_RIGHT)
    assert scores[1] > scores[0]
    assert sum(scores) == pytest.approx(1, abs=1e-6)


def test_the_network_is_left_as_it_was():
    network = nn.Sequential(nn.BatchNorm2d(2), Probe()).eval()
    before = copy.deepcopy(network.state_dict())
    pair = [batch([[1.0, 2.0], [0.0, 5.0]], [0, 1])]
    released_masks(network, {"1.conv.weight": UPPER_RIGHT["conv.weight"]}, pair, "snip", 0.5, "global")
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not network.training
    assert network[1].conv.weight.grad is None


def test_8_scores_use_the_statistics_of_each_batch():
    network = nn.Sequential(nn.BatchNorm2d(2, affine=False), Probe())
    pair = [batch([[0.0, 1.0], [2.0, 4.0]], [0, 1])]
    scores, _ = released_masks(network.eval(), {}, pair, "snip", 0.5, "global")
    # Both channels become -1 and 1. With running statistics, their scores would be as 2 to 3.
    assert scores["1.conv.weight"].flatten().tolist() == pytest.approx([0.25] * 4, abs=1e-4)


def test_10_magnitude_is_that_of_the_raw_weights():
    network = Probe([[1.0, -2.0], [3.0, 4.0]])
    scores, mask = released_masks(network, UPPER_RIGHT, [], "magnitude", 0.5, "global")
    assert scores["conv.weight"].flatten().tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=1e-7)
    assert scores["conv.weight"].dtype == network.conv.weight.dtype
    assert mask["conv.weight"].flatten().tolist() == [False, False, True, True]


def test_10_random_scores_are_normal_draws():
    network = nn.Conv2d(10, 100, 10)
    first, again = (
        score_all_weights(network, {}, [], "random", torch.Generator().manual_seed(seed))["weight"] for seed in (1, 2)
    )
    assert not torch.equal(first, again)
    assert first.mean().item() == pytest.approx(0, abs=0.02)
    assert first.std().item() == pytest.approx(1, abs=0.02)
    assert (first.abs() > 3).float().mean().item() == pytest.approx(0.0027, abs=0.001)


@pytest.mark.parametrize(
    ("density", "n", "kept"),
    [
        (0.8, 10, 9),  # 1 - 0.8 is 0.19999999999999996, so k is 1 and not 2.
        (0.8, 100, 81),  # For the same reason k is 19.
        (0.5, 10, 5),
        (0.36, 10, 4),  # k = int(6.4) = 6; rounding the kept count would give 4 as well.
        (0.34, 10, 4),  # k = int(6.6) = 6; rounding would give 3.
        (0.95, 10, 10),  # k = 0: nothing is removed.
        (0.01, 10, 1),  # k = int(9.9) = 9
    ],
)
def test_11_the_count_is_n_minus_k(density, n, kept):
    scores = {"w": torch.arange(1, n + 1).float()}
    mask = select_above_threshold(scores, {}, density, "global")["w"]
    assert int(mask.sum()) == kept
    assert mask.tolist() == [False] * (n - kept) + [True] * kept


def test_11_all_ties_at_the_threshold_fall():
    scores = {"a": torch.tensor([0.0, 0.0, 0.0, 1.0]), "b": torch.tensor([[0.0, 2.0], [3.0, 4.0]])}
    chosen = select_above_threshold(scores, {}, 0.75, "global")  # k = 2, but four scores are 0.
    assert chosen["a"].tolist() == [False, False, False, True]
    assert chosen["b"].tolist() == [[False, True], [True, True]]


def test_11_pruned_weights_compete_again():
    scores = {"w": torch.tensor([1.0, 2.0, 3.0, 4.0])}
    in_force = {"w": torch.tensor([True, True, False, False])}
    assert select_above_threshold(scores, in_force, 0.5, "global")["w"].tolist() == [False, False, True, True]


def test_11_without_a_threshold_the_masks_stay_as_they_are():
    scores = {"a": torch.arange(4.0), "b": torch.arange(20.0)}
    in_force = {"a": torch.tensor([1.0, 0.0, 1.0, 0.0])}
    chosen = select_above_threshold(scores, in_force, 0.95, "local")
    assert chosen["a"].tolist() == [True, False, True, False]
    assert int(chosen["b"].sum()) == 19
    assert select_above_threshold(scores, in_force, 0.99, "global")["a"].tolist() == [True, False, True, False]


def test_11_local_scope_counts_in_each_layer():
    scores = {"a": torch.arange(1, 11).float(), "b": torch.arange(101, 108).float()}
    chosen = select_above_threshold(scores, {}, 0.5, "local")
    assert [int(mask.sum()) for mask in chosen.values()] == [5, 4]  # k is 5, and int(3.5) = 3.
    chosen = select_above_threshold(scores, {}, 0.5, "global")
    assert [int(mask.sum()) for mask in chosen.values()] == [2, 7]  # k = int(8.5) = 8


def test_3_convolutions_are_drawn_from_the_default_initialisation():
    """Check the bound 1 / sqrt(fan_in), whatever initialisation the network itself has."""
    network = nn.Sequential(
        nn.Conv2d(8, 64, 3),  # fan_in 72
        nn.Conv2d(64, 64, 3, groups=16),  # fan_in 4 * 9 = 36
        nn.BatchNorm2d(64),
        nn.Flatten(),
        nn.Linear(64, 4),
    )
    for parameter in network.parameters():
        nn.init.constant_(parameter, 7)
    draw_scoring_weights(network, torch.Generator().manual_seed(0))
    for layer, fan_in in ((network[0], 72), (network[1], 36)):
        bound = fan_in**-0.5
        assert 0.99 * bound < layer.weight.abs().max().item() <= bound
        assert layer.weight.mean().item() == pytest.approx(0, abs=0.05 * bound)
        assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.03)
        assert (layer.bias == 7).all()
    assert all((parameter == 7).all() for parameter in (*network[2].parameters(), *network[4].parameters()))


def test_3_the_bound_is_that_of_pytorch():
    torch.manual_seed(0)
    layer = nn.Conv2d(16, 512, 3, groups=2)
    drawn = copy.deepcopy(layer)
    draw_scoring_weights(drawn, torch.Generator().manual_seed(0))
    assert layer.weight.abs().max().item() == pytest.approx(drawn.weight.abs().max().item(), rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pruner": "synflow"}, "pruner: 'synflow' is not allowed with protocol released; allowed: snip, magnitude"),
        ({"scope": "layer"}, "scope: 'layer' is not known; allowed: global, local"),
        ({"density": 0.0}, "density: 0.0 is not allowed"),
    ],
)
def test_what_is_not_allowed_is_named(changes, message):
    with pytest.raises(SettingError, match=message):
        released_masks(Probe(), {}, BATCHES, **{"pruner": "snip", "density": 0.5, "scope": "global"} | changes)


@pytest.mark.parametrize(
    ("batches", "error", "message"),
    [
        ([], SettingError, "pruner: 'snip' is not allowed here: it gives all 4 weights the score 0"),
        ([batch([[math.nan, 1.0]], [0])], DivergenceError, "not finite"),
    ],
)
def test_scores_that_say_nothing_are_refused(batches, error, message):
    with pytest.raises(error, match=message):
        released_masks(Probe(), {}, batches, "snip", 0.5, "global")


def test_random_scores_without_a_run_are_the_same_at_every_call():
    first, _ = released_masks(Probe(), {}, [], "random", 0.5, "global")
    torch.manual_seed(77)
    again, _ = released_masks(Probe(), {}, [], "random", 0.5, "global")
    assert torch.equal(first["conv.weight"], again["conv.weight"])


def test_random_scores_come_from_the_given_generator():
    one, same, other = (
        score_all_weights(Probe(), {}, [], "random", torch.Generator().manual_seed(seed))["conv.weight"]
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_each_layer_may_be_ranked_alone():
    network = nn.Sequential(Probe(((1.0, 2.0), (3.0, 4.0))).conv, Probe(((5.0, 6.0), (7.0, 8.0))).conv)
    kept = {
        scope: [int(mask.sum()) for mask in released_masks(network, {}, [], "magnitude", 0.5, scope)[1].values()]
        for scope in ("global", "local")
    }
    assert kept == {"global": [0, 4], "local": [2, 2]}


def test_all_weights_are_kept_at_density_one_as_the_masks_in_force_are():
    _, selected = released_masks(Probe(((1.0, 2.0), (3.0, 4.0))), {}, [], "magnitude", 1.0, "global")
    assert selected["conv.weight"].dtype == torch.bool
    assert bool(selected["conv.weight"].all())
    with pytest.raises(SettingError, match=r"density: 1.5 is not allowed"):
        released_masks(Probe(), {}, [], "magnitude", 1.5, "global")


def test_equal_weights_are_refused_with_the_name_of_the_pruner():
    with pytest.raises(SettingError, match="pruner: 'magnitude' is not allowed here"):
        released_masks(Probe(), {}, [], "magnitude", 0.5, "global")


def test_fresh_weights_are_drawn_in_the_precision_of_the_network():
    network = Probe().double()
    draw_scoring_weights(network, torch.Generator().manual_seed(0))
    weight = network.conv.weight.detach()
    assert not torch.equal(weight, weight.float().double())
