"""Test which weights a selection keeps, and that masks hold in the network."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn, tensor

from anytime_pruning import select_masks
from anytime_pruning.foundation.errors import DivergenceError, SettingError
from anytime_pruning.pruning.enforcement import MaskEnforcer, apply_masks
from anytime_pruning.pruning.masks import count_kept
from anytime_pruning.pruning.prunable import prunable_weights


def kept_list(mask):
    return mask.int().tolist()


def test_highest_scores_stay():
    masks = select_masks({"a": tensor([0.1, 0.4]), "b": tensor([0.3, 0.2])}, 0.5)
    assert kept_list(masks["a"]) == [0, 1]
    assert kept_list(masks["b"]) == [1, 0]


def test_a_draw_decides_among_equal_scores_and_favours_no_layer():
    scores = {"first": torch.zeros(1000), "best": torch.ones(5), "last": torch.zeros(3000)}
    masks = select_masks(scores, 0.25, generator=torch.Generator().manual_seed(3))
    assert sum(int(mask.sum()) for mask in masks.values()) == 1001
    assert bool(masks["best"].all())
    # 996 of 4000 equal weights are drawn, so the first layer keeps 249 of 1000, give or take 12.
    assert 200 < int(masks["first"].sum()) < 300
    # Within a layer, no place is favoured either.
    assert 80 < int(masks["first"][:500].sum()) < 170
    again = select_masks(scores, 0.25, generator=torch.Generator().manual_seed(3))
    other = select_masks(scores, 0.25, generator=torch.Generator().manual_seed(4))
    assert all(torch.equal(masks[name], again[name]) for name in masks)
    assert any(not torch.equal(masks[name], other[name]) for name in masks)
    assert all(torch.equal(select_masks(scores, 0.25)[name], select_masks(scores, 0.25)[name]) for name in masks)


def test_equal_scores_that_all_stay_or_all_go_need_no_draw():
    scores = {"a": tensor([1.0, 2.0, 2.0]), "b": tensor([2.0, 3.0])}
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    masks = select_masks(scores, 0.8, generator=generator)
    assert kept_list(masks["a"]) == [0, 1, 1]
    assert kept_list(masks["b"]) == [1, 1]
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize("scope", ["global", "local"])
def test_a_draw_never_revives_a_pruned_weight(scope):
    kept = {"a": torch.arange(40) % 2 == 0, "b": torch.ones(60, dtype=torch.bool)}
    masks = select_masks({"a": torch.zeros(40), "b": torch.zeros(60)}, 0.3, scope, kept)
    assert sum(int(mask.sum()) for mask in masks.values()) == 30
    assert not bool((masks["a"] & ~kept["a"]).any())


def test_pruned_weights_stay_pruned_whatever_they_score():
    kept = {"a": tensor([False, True, True, True])}
    assert kept_list(select_masks({"a": tensor([9.0, 3.0, 1.0, 2.0])}, 0.5, kept=kept)["a"]) == [0, 1, 0, 1]


def test_signed_and_infinite_scores_are_ranked():
    scores = {"a": tensor([-1.0, -3.0, float("-inf"), -2.0])}
    assert kept_list(select_masks(scores, 0.5)["a"]) == [1, 0, 0, 1]


def test_local_gives_each_layer_the_same_density():
    scores = {"a": tensor([10.0, 20.0, 30.0, 40.0]), "b": tensor([0.1, 0.4, 0.3, 0.2])}
    masks = select_masks(scores, 0.5, scope="local")
    assert kept_list(masks["a"]) == [0, 0, 1, 1]
    assert kept_list(masks["b"]) == [0, 1, 1, 0]


def test_local_total_is_exact_where_layers_do_not_divide():
    # Half of 3 + 3 weights is 3: the first layer by position keeps 2 weights, and the other layer keeps 1 weight.
    masks = select_masks({"a": tensor([1.0, 2.0, 3.0]), "b": tensor([1.0, 2.0, 3.0])}, 0.5, scope="local")
    assert kept_list(masks["a"]) == [0, 1, 1]
    assert kept_list(masks["b"]) == [0, 0, 1]


def test_shapes_are_those_of_the_scores():
    assert select_masks({"a": torch.rand(2, 3, 4)}, 0.5)["a"].shape == (2, 3, 4)


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    densities=st.lists(st.floats(0.01, 1.0), min_size=1, max_size=5),
    scope=st.sampled_from(["global", "local"]),
    levels=st.integers(1, 50),
    seed=st.integers(0, 1000),
)
def test_counts_are_exact_and_masks_nest(sizes, densities, scope, levels, seed):
    """Try any layers, any falling densities and many ties."""
    generator = torch.Generator().manual_seed(seed)
    kept = None
    for density in sorted(densities, reverse=True):
        scores = {str(i): torch.randint(0, levels, (n,), generator=generator).float() for i, n in enumerate(sizes)}
        masks = select_masks(scores, density, scope, kept)
        assert sum(int(mask.sum()) for mask in masks.values()) == round(density * sum(sizes))
        for name, mask in masks.items():
            assert kept is None or not (mask & ~kept[name]).any()
        if scope == "local" and kept is None:
            assert all(abs(int(masks[str(i)].sum()) - density * n) < 1 + 1e-9 for i, n in enumerate(sizes))
        kept = masks


@pytest.mark.parametrize("density", [0, -0.5, 1.01, float("nan")])
def test_density_out_of_range_is_named(density):
    with pytest.raises(SettingError, match=r"density: .* \(0, 1\]"):
        select_masks({"a": torch.rand(4)}, density)


def test_unknown_scope_is_named():
    with pytest.raises(SettingError, match="scope: 'layer' is not known; allowed: global, local"):
        select_masks({"a": torch.rand(4)}, 0.5, scope="layer")


def test_more_than_is_left_is_refused():
    with pytest.raises(SettingError, match="keeps 3 weights, but only 1 are left"):
        select_masks({"a": torch.rand(4)}, 0.75, kept={"a": tensor([True, False, False, False])})


def test_nan_scores_are_refused_by_layer():
    with pytest.raises(DivergenceError, match="layer2"):
        select_masks({"layer1": torch.rand(2), "layer2": tensor([1.0, float("nan")])}, 0.5)


def test_only_convolutions_are_prunable(toy_model):
    assert list(prunable_weights(toy_model)) == ["0.weight", "3.weight"]


def test_a_bare_convolution_is_prunable():
    assert list(prunable_weights(nn.Conv2d(1, 1, 3))) == ["weight"]


def test_applied_masks_are_measured_in_the_network(toy_model):
    masks = select_masks({name: w.abs() for name, w in prunable_weights(toy_model).items()}, 0.4)
    apply_masks(toy_model, masks)
    counts = count_kept(toy_model)
    assert sum(kept for kept, _ in counts.values()) == round(0.4 * (27 + 24))
    for name, weight in prunable_weights(toy_model).items():
        assert bool((weight[~masks[name]] == 0).all())
        assert counts[name] == (int(masks[name].sum()), weight.numel())


def test_a_weight_that_two_layers_share_has_the_mask_of_either_name():
    shared = nn.Conv2d(1, 1, 2, bias=False)
    mask = tensor([[[[True, False], [False, True]]]])
    apply_masks(nn.Sequential(shared, shared), {"1.weight": mask})
    assert torch.equal(shared.weight != 0, mask)


def test_new_masks_leave_the_callers_masks_alone():
    model = nn.Sequential(nn.Conv2d(1, 1, 2, bias=False))
    first = {"0.weight": tensor([[[[True, True], [False, True]]]])}
    enforcer = MaskEnforcer(model, first)
    assert enforcer.update({"0.weight": ~first["0.weight"]})
    assert kept_list(first["0.weight"].flatten()) == [1, 1, 0, 1]
    assert kept_list(enforcer.masks()["0.weight"].flatten()) == [0, 0, 1, 0]
    assert not enforcer.update({"1.weight": first["0.weight"]})


def test_local_gives_the_odd_weight_to_the_layer_with_the_largest_remainder():
    # 0.3 of 4 and 6 weights are 1.2 and 1.8, together 3.
    scores = {"a": torch.arange(4.0), "b": torch.arange(6.0)}
    counts = {name: int(mask.sum()) for name, mask in select_masks(scores, 0.3, "local").items()}
    assert counts == {"a": 1, "b": 2}
    # A layer that has a single weight left cannot take another.
    kept = {"a": torch.ones(4, dtype=torch.bool), "b": torch.arange(6) == 2}
    masks = select_masks(scores, 0.3, "local", kept)
    assert kept_list(masks["a"]) == [0, 0, 1, 1]
    assert kept_list(masks["b"]) == [0, 0, 1, 0, 0, 0]


def test_local_draws_from_the_given_generator():
    def draw(seed):
        return select_masks({"a": torch.zeros(40)}, 0.5, "local", generator=torch.Generator().manual_seed(seed))["a"]

    first = draw(3)
    torch.manual_seed(77)
    assert torch.equal(draw(3), first)
    assert not torch.equal(draw(4), first)


def test_all_that_is_left_may_be_kept():
    kept = {"a": tensor([True, False, True, False])}
    assert kept_list(select_masks({"a": torch.arange(4.0)}, 0.5, kept=kept)["a"]) == [1, 0, 1, 0]


def moved_to_meta_and_back(model):
    """Move a network to a device where nothing has values, and back with new ones, as to a GPU and from it."""
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.to_empty(device="meta")
    model.to_empty(device="cpu").load_state_dict(state)


@pytest.mark.parametrize(
    "replace",
    [
        lambda model: model.to(memory_format=torch.channels_last),
        lambda model: model.double(),
        lambda model: model.half(),
        lambda model: model.load_state_dict(
            {name: tensor.clone() for name, tensor in model.state_dict().items()}, assign=True
        ),
        moved_to_meta_and_back,
        lambda model: setattr(model[0], "weight", nn.Parameter(model[0].weight.detach().clone())),
        lambda model: setattr(model[0].weight, "data", model[0].weight.data.clone()),
    ],
)
def test_masks_hold_whatever_replaces_the_tensors_of_the_network(replace):
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))
    masks = select_masks({name: weight.detach() for name, weight in prunable_weights(model).items()}, 0.5)
    enforcer = MaskEnforcer(model, masks)
    replace(model)
    for _ in range(2):
        for weight in prunable_weights(model).values():
            nn.init.ones_(weight)
        enforcer.enforce()
        assert all(torch.equal(weight != 0, masks[name]) for name, weight in prunable_weights(model).items())
    assert enforcer.update({name: ~mask for name, mask in masks.items()})
    for weight in prunable_weights(model).values():
        nn.init.ones_(weight)
    enforcer.enforce()
    assert all(torch.equal(weight == 0, masks[name]) for name, weight in prunable_weights(model).items())


def test_masks_hold_in_a_scripted_network():
    model = torch.jit.script(nn.Sequential(nn.Conv2d(2, 4, 3)))
    mask = torch.rand(4, 2, 3, 3) > 0.5
    enforcer = MaskEnforcer(model, {"0.weight": mask})
    nn.init.ones_(model.double()[0].weight)
    enforcer.enforce()
    assert torch.equal(model[0].weight != 0, mask)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_masks_follow_a_network_to_a_gpu():
    model = nn.Sequential(nn.Conv2d(2, 4, 3))
    mask = torch.rand(4, 2, 3, 3) > 0.5
    enforcer = MaskEnforcer(model, {"0.weight": mask})
    model.to("cuda")
    nn.init.ones_(model[0].weight)
    enforcer.enforce()
    assert torch.equal((model[0].weight != 0).cpu(), mask)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ({"foo": tensor([True])}, r"^masks: 'foo' is not allowed: .* of this name; allowed: 0\.weight, 0\.bias, 2\.we"),
        (
            {"0.weight": tensor([True])},
            r"^masks: 0\.weight is \[1\], but should be a bool tensor of shape \[4, 2, 3, 3\]",
        ),
        ({"0.weight": [True]}, r"^masks: 0\.weight is list, but should be"),
    ],
)
def test_masks_that_fit_no_parameter_are_one_line(masks, message):
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))
    with pytest.raises(SettingError, match=message) as error:
        MaskEnforcer(model, masks)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("parameter", [None, nn.Parameter(torch.ones(3))])
def test_a_masked_parameter_that_is_gone_is_one_line(parameter):
    model = nn.Sequential(nn.Conv2d(2, 4, 3))
    enforcer = MaskEnforcer(model, {"0.bias": tensor([True, False, True, True])})
    model[0].bias = parameter
    with pytest.raises(SettingError, match=r"^masks: a masked parameter of the network was removed or has another"):
        enforcer.enforce()
