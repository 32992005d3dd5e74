"""Test the selections that remove weights in groups: N of M weights, and whole filters."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn, tensor

from anytime_pruning.foundation.errors import DivergenceError, SettingError
from anytime_pruning.pruning.enforcement import MaskEnforcer, apply_masks
from anytime_pruning.pruning.filter_parameters import find_filter_parameters
from anytime_pruning.pruning.selections import make_selection
from anytime_pruning.settings.run import parse_settings

SHAPES = {"a": (6, 8, 3, 3), "b": (5, 4, 1, 1), "c": (3, 12)}
N_WEIGHTS = 6 * 8 * 9 + 5 * 4 + 3 * 12


def draw_scores(seed, distinct=True):
    generator = torch.Generator().manual_seed(seed)
    scores = {name: torch.rand(shape, generator=generator) for name, shape in SHAPES.items()}
    return scores if distinct else {name: (score * 3).floor() for name, score in scores.items()}


def n_kept(masks):
    return sum(int(mask.sum()) for mask in masks.values())


def groups_of(mask, m):
    """Return the groups of M consecutive input channels of a mask, one by one and by plain indexing."""
    flat = mask.flatten(2) if mask.dim() > 2 else mask[..., None]
    return [
        flat[o, i : i + m, place]
        for o in range(flat.shape[0])
        for i in range(0, flat.shape[1], m)
        for place in range(flat.shape[2])
    ]


def test_n_m_keeps_the_highest_of_consecutive_input_channels():
    scores = {"w": tensor([[1.0, 4, 3, 2, 9, 9.5, 0, 0.5], [5, 6, 7, 8, 1, 2, 4, 3]])}
    masks = make_selection("n_m", "2:4").select(scores, 0.5, "global", None)
    assert masks["w"].int().tolist() == [[0, 1, 1, 0, 1, 1, 0, 0], [0, 0, 1, 1, 0, 0, 1, 1]]
    masks = make_selection("n_m", "1:4").select(scores, 0.25, "global", None)
    assert masks["w"].int().tolist() == [[0, 1, 0, 0, 0, 1, 0, 0], [0, 0, 0, 1, 0, 0, 1, 0]]


def test_n_m_begins_with_the_groups_that_lose_least():
    scores = {"w": tensor([[1.0, 4, 3, 2, 9, 9.5, 0, 0.5], [5, 6, 7, 8, 1, 2, 4, 3]])}
    masks = make_selection("n_m", "2:4").select(scores, 0.75, "global", None)
    # The groups lose 3, 0.5, 11 and 3; one of the two that lose 3 is drawn.
    kept = [int(group.sum()) for group in groups_of(masks["w"], 4)]
    assert kept in ([2, 2, 4, 4], [4, 2, 4, 2])


def test_n_m_of_a_convolution_groups_input_channels_and_not_places_of_the_kernel():
    score = torch.arange(4.0)[None, :, None, None].expand(2, 4, 3, 3)
    mask = make_selection("n_m", "2:4").select({"w": score}, 0.5, "global", None)["w"]
    assert torch.equal(mask, (score >= 2))


@pytest.mark.parametrize("scope", ["global", "local"])
@pytest.mark.parametrize("name", ["n_m", "filter"])
@given(
    seed=st.integers(0, 10_000),
    distinct=st.booleans(),
    pattern=st.sampled_from(["2:4", "1:4", "3:4", "1:2"]),
    steps=st.lists(st.floats(0, 1), min_size=1, max_size=4),
)
def test_masks_nest_keep_their_groups_and_meet_densities_up_to_a_group(name, scope, seed, distinct, pattern, steps):
    n, m = (int(part) for part in pattern.split(":"))
    lowest = n / m if name == "n_m" else 0.5
    selection, masks = make_selection(name, pattern), None
    group = m - n if name == "n_m" else 8 * 9
    for t, density in enumerate(sorted((lowest + (1 - lowest) * step for step in steps), reverse=True)):
        before, masks = masks, selection.select(draw_scores(seed + t, distinct), density, scope, masks)
        assert {key: mask.shape for key, mask in masks.items()} == {key: torch.Size(s) for key, s in SHAPES.items()}
        if before:
            assert not any((masks[key] & ~before[key]).any() for key in masks)
        parts = [[key] for key in SHAPES] if scope == "local" else [list(SHAPES)]
        for keys in parts:
            total = sum(masks[key].numel() for key in keys)
            size = group if name == "n_m" else max(masks[key][0].numel() for key in keys)
            assert abs(n_kept({key: masks[key] for key in keys}) - density * total) <= size / 2 + 0.5 + 1e-6
    for mask in masks.values():
        assert selection.count_misfits(mask.float()) == 0
        if name == "n_m":
            assert {int(part.sum()) for part in groups_of(mask, m)} <= {n, m}
        else:
            assert all(bool(row.all()) or not bool(row.any()) for row in mask.flatten(1))
            assert mask.any()


def test_filters_go_by_the_sum_of_their_scores():
    scores = {"a": tensor([[1.0, 1], [0, 3], [0.5, 1]]), "b": tensor([[9.0, 0], [1, 0.2]])}
    masks = make_selection("filter", "2:4").select(scores, 0.6, "global", None)
    assert masks["a"].int().tolist() == [[1, 1], [1, 1], [0, 0]]
    assert masks["b"].int().tolist() == [[1, 1], [0, 0]]


def test_each_layer_keeps_its_best_filter():
    scores = {"weak": torch.full((4, 10), 0.1) + torch.arange(4.0)[:, None] / 100, "strong": torch.ones(10, 10)}
    masks = make_selection("filter", "2:4").select(scores, 0.3, "global", None)
    assert masks["weak"].any(1).tolist() == [False, False, False, True]
    with pytest.raises(SettingError, match=r"density: 0.01 is not allowed with selection filter: each layer keeps at"):
        make_selection("filter", "2:4").select({f"{i}": torch.ones(1, 10) for i in range(9)}, 0.01, "global", None)


@pytest.mark.parametrize("name", ["n_m", "filter"])
def test_equal_scores_are_drawn_by_the_generator(name):
    scores, selection = {"w": torch.zeros(40, 8)}, make_selection(name, "2:4")
    drawn = [
        selection.drawing_by(torch.Generator().manual_seed(seed)).select(scores, 0.75, "global", None)["w"]
        for seed in (1, 1, 2)
    ]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    removed_rows = [int((~mask).any(1).nonzero().float().mean()) for mask in drawn]
    assert all(10 < row < 30 for row in removed_rows)  # neither the first nor the last rows lose first


@pytest.mark.parametrize("name", ["n_m", "filter"])
def test_bad_scores_and_options_are_refused(name):
    selection = make_selection(name, "2:4")
    with pytest.raises(DivergenceError, match="w has scores that are not a number"):
        selection.select({"w": torch.full((4, 4), float("nan"))}, 0.5, "global", None)
    with pytest.raises(SettingError, match="scope: 'layer' is not known"):
        selection.select({"w": torch.ones(4, 4)}, 0.5, "layer", None)


def test_what_cannot_be_pruned_in_groups_is_not_accepted():
    n_m, filters = make_selection("n_m", "2:4"), make_selection("filter", "2:4")
    weights = [torch.ones(8, 3, 3, 3), torch.ones(8, 12, 3, 3), torch.ones(5, 8), torch.ones(8)]
    assert [n_m.accepts(weight) for weight in weights] == [False, True, True, False]
    assert [filters.accepts(weight) for weight in weights] == [True, True, True, False]
    assert all(make_selection("unstructured", "2:4").accepts(weight) for weight in weights)
    with pytest.raises(SettingError, match=r"selection: n_m is not allowed for a weight of shape \[8, 3, 3, 3\]"):
        n_m.select({"w": weights[0]}, 0.5, "global", None)


def test_misfits_are_counted():
    n_m, filters = make_selection("n_m", "2:4"), make_selection("filter", "2:4")
    weight = tensor([[1.0, 1, 1, 0, 1, 1, 1, 1], [0, 0, 0, 1, 0, 1, 0, 1], [0, 0, 0, 0, 0, 0, 0, 0]])
    assert n_m.count_misfits(weight) == 1
    assert filters.count_misfits(weight) == 2
    assert make_selection("unstructured", "2:4").count_misfits(weight) == 0


class Branches(nn.Module):
    """A convolution with its batch norm, one that two inputs share, one after a sum, and a linear layer with a bias."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.shared = nn.BatchNorm2d(4)
        self.left, self.right = nn.Conv2d(4, 4, 1, bias=False), nn.Conv2d(4, 4, 1, bias=False)
        self.after_sum = nn.BatchNorm2d(4)
        self.head = nn.Sequential(nn.Conv2d(4, 6, 1), nn.Dropout(), nn.BatchNorm2d(6, affine=False))
        self.classifier = nn.Linear(6, 5)

    def forward(self, images):
        x = self.norm(self.first(images)).relu()
        x = self.after_sum(self.shared(self.left(x)) + self.shared(self.right(x)))
        return self.classifier(self.head(x).mean((2, 3)))


def test_the_batch_norm_that_follows_a_layer_belongs_to_its_filters():
    model = Branches()
    states = {name: value.clone() for name, value in model.state_dict().items()}
    found = find_filter_parameters(model, (3, 8, 8))
    assert found == {
        "first.weight": ["first.bias", "norm.weight", "norm.bias"],
        "left.weight": [],
        "right.weight": [],
        "head.0.weight": ["head.0.bias"],
    }
    assert model.training
    assert all(torch.equal(value, states[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_removed_filter_leaves_nothing_behind():
    model = Branches().eval()
    find_filter_parameters(model, (3, 8, 8))
    nn.init.uniform_(model.norm.bias)
    masks = {"first.weight": torch.ones(4, 3, 3, 3, dtype=torch.bool)}
    masks["first.weight"][1] = masks["first.weight"][3] = False
    apply_masks(model, masks)
    output = model.norm(model.first(torch.rand(2, 3, 8, 8)))
    assert [bool(output[:, i].any()) for i in range(4)] == [True, False, True, False]
    enforcer = MaskEnforcer(model, masks)
    masks["first.weight"] = masks["first.weight"].clone()
    masks["first.weight"][0] = False
    assert enforcer.update(masks)
    nn.init.ones_(model.norm.bias)
    enforcer.enforce()
    assert model.norm.bias.tolist() == [0, 0, 1, 0]


def test_masks_in_another_order_replace_those_of_the_same_weights():
    model = Branches()
    names = ["first.weight", "left.weight"]
    weights = dict(model.named_parameters())
    enforcer = MaskEnforcer(model, {name: torch.ones_like(weights[name], dtype=torch.bool) for name in names})
    masks = {name: torch.zeros_like(weights[name], dtype=torch.bool) for name in names[::-1]}
    masks["left.weight"][0] = True
    assert enforcer.update(masks)
    enforcer.enforce()
    assert not model.first.weight.any()
    assert model.left.weight[0].all()
    assert not model.left.weight[1:].any()
    assert not enforcer.update({"first.weight": masks["first.weight"]})


def test_without_whole_filters_biases_and_batch_norms_stay():
    model = Branches()
    nn.init.ones_(model.norm.bias)
    apply_masks(model, {"first.weight": torch.zeros(4, 3, 3, 3, dtype=torch.bool)})
    assert model.norm.bias.tolist() == [1, 1, 1, 1]
    assert model.first.bias.any()


def test_densities_of_a_pattern_are_those_of_fewer_groups():
    def densities(**changes):
        base = {"dataset": "digits", "model": "resnet20", "n_megabatches": 5, "selection": "n_m"}
        return parse_settings(base | changes).densities()

    scheduled = densities(selection="unstructured")
    assert densities(pattern="1:4") == scheduled  # 0.8 ** 4.5 is above a quarter
    halved = densities(pattern="2:4")
    assert halved[-1] == 0.5
    removed = [(1 - now) / (1 - before) for now, before in zip(halved, scheduled)]
    assert removed == pytest.approx([0.5 / (1 - scheduled[-1])] * 5)
    assert all(later < earlier for earlier, later in itertools.pairwise(halved))


def test_a_filter_with_a_single_weight_left_is_a_misfit():
    assert make_selection("filter", "2:4").count_misfits(torch.tensor([[[[0.0, 1.0], [0.0, 0.0]]]])) == 1


def test_filters_that_are_gone_do_not_count_as_the_last_of_their_layer():
    scores = {"a": torch.arange(1.0, 5).view(4, 1, 1, 1).expand(4, 2, 1, 1)}
    kept = {"a": (torch.arange(4) > 0).view(4, 1, 1, 1).expand(4, 2, 1, 1)}
    masks = make_selection("filter", "2:4").select(scores, 0.25, "global", kept)
    assert masks["a"].flatten(1).all(1).tolist() == [False, False, False, True]
