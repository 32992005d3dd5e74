"""Test which weights of a network count as prunable."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from anytime_pruning import register, score, select_masks, set_prunable
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.pruning.enforcement import apply_masks
from anytime_pruning.pruning.macs import count_macs
from anytime_pruning.pruning.prunable import count_prunable, prunable_weights

BATCHES = [(torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 3)]


class Mixed(nn.Module):
    """Has a layer of each kind; its classifier is defined first and called last."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(6, 3)
        self.conv = nn.Conv2d(1, 4, 3)
        self.up = nn.ConvTranspose2d(4, 5, 2)
        self.middle = nn.Linear(5, 6)

    def forward(self, x):
        return self.head(self.middle(self.up(self.conv(x).relu()).mean((2, 3))).relu())


@pytest.mark.parametrize(
    ("rules", "keep", "expected"),
    [
        (["conv"], ["classifier", "frozen"], ["conv"]),
        (["conv", "linear"], ["classifier"], ["conv", "middle"]),
        (["conv", "linear"], [], ["head", "conv", "middle"]),
        (["conv_transpose"], ["classifier"], ["up"]),
        (["linear", "conv", "conv_transpose"], ["classifier", "mid*"], ["conv", "up"]),
        (["conv"], ["conv"], []),
    ],
)
def test_rules_name_kinds_of_layers_and_keep_names_exceptions(rules, keep, expected):
    model = Mixed()
    order = ["", "conv", "up", "middle", "head"]
    assert list(set_prunable(model, rules, keep, order)) == [f"{name}.weight" for name in expected]
    assert list(prunable_weights(model)) == [f"{name}.weight" for name in expected]


def test_the_choice_holds_for_scores_masks_counts_and_operations():
    model = Mixed()
    set_prunable(model, ["conv", "linear", "conv_transpose"], ["classifier"], ["conv", "up", "middle", "head"])
    sizes = {"conv.weight": 36, "up.weight": 80, "middle.weight": 30}
    scores = score(model, "snip", BATCHES)
    assert {name: part.numel() for name, part in scores.items()} == sizes
    assert count_prunable(model) == 146
    masks = select_masks(scores, 0.5)
    apply_masks(model, masks)
    assert sum(int(weight.count_nonzero()) for weight in prunable_weights(model).values()) == 73
    macs = count_macs(model, (1, 8, 8))
    # The transposed convolution takes maps of 6 x 6 pixels, and each of them uses every weight once.
    assert macs.positions == {"conv.weight": 36, "up.weight": 36, "middle.weight": 1}
    assert macs.fixed == 18


def test_a_copy_keeps_the_choice():
    import copy

    model = Mixed()
    set_prunable(model, ["linear"], [])
    assert list(prunable_weights(copy.deepcopy(model))) == ["head.weight", "middle.weight"]
    assert "prunable_names" not in model.state_dict()


@pytest.mark.parametrize("wrap", [lambda layer: layer, parametrizations.spectral_norm])
@pytest.mark.parametrize(
    ("rules", "keep", "expected"),
    [
        (["linear"], ["classifier"], ["other"]),
        (["conv", "linear"], ["third"], ["conv", "other"]),
        (["conv", "linear"], [], ["first", "conv", "other"]),
    ],
)
def test_a_weight_that_is_tied_to_a_layer_left_alone_is_left_alone_too(rules, keep, expected, wrap):
    model = nn.ModuleDict({"first": nn.Linear(4, 4), "conv": nn.Conv2d(1, 4, 3), "other": nn.Linear(4, 4)})
    model["third"] = wrap(nn.Linear(4, 4))
    (name,) = [name for name, parameter in model["third"].named_parameters() if parameter.dim() == 2]
    where, _, last = name.rpartition(".")
    setattr(model["third"].get_submodule(where), last, model["first"].weight)
    assert list(set_prunable(model, rules, keep)) == [f"{layer}.weight" for layer in expected]


@pytest.mark.parametrize("named", [None, "weight", 3, [3], (None,)])
def test_a_rule_that_returns_no_names_is_one_line(named, forget):
    register("prunable", "odd_for_test")(lambda layer: named)
    with pytest.raises(
        SettingError, match=r"^prunable: 'odd_for_test' is not allowed: for .* it returns .*; wanted: "
    ) as error:
        set_prunable(Mixed(), ["odd_for_test"], [])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("rules", "keep", "message"),
    [
        (["convolution"], [], r"prunable: 'convolution' is not known; allowed: conv, conv_transpose, linear"),
        (
            ["conv"],
            ["layer9.*"],
            r"keep: 'layer9\.\*' is not allowed: it matches no layer; allowed: classifier",
        ),
    ],
)
def test_a_mistake_in_the_choice_is_named(rules, keep, message):
    with pytest.raises(SettingError, match=message):
        set_prunable(Mixed(), rules, keep)


def test_frozen_parameters_and_constants_are_left_alone():
    class Blurred(nn.Module):
        def __init__(self):
            super().__init__()
            self.blur = nn.Conv2d(1, 1, 3, bias=False)
            constant = torch.ones_like(self.blur.weight)
            del self.blur.weight
            self.blur.register_buffer("weight", constant)
            self.frozen, self.free = nn.Conv2d(1, 2, 1), nn.Conv2d(2, 2, 1)
            self.frozen.requires_grad_(False)

    model = Blurred()
    assert list(prunable_weights(model)) == ["free.weight"]
    assert list(set_prunable(model, keep=[])) == ["frozen.weight", "free.weight"]


def cut_network(wrap):
    torch.manual_seed(0)
    return nn.Sequential(
        wrap(nn.Conv2d(1, 6, 3)), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(4, 3),
    )  # fmt: skip


class Doubled(nn.Module):
    def forward(self, x):
        return 2 * x


def doubled(layer):
    parametrize.register_parametrization(layer, "weight", Doubled())
    return layer


@pytest.mark.parametrize(
    ("wrap", "name"),
    [
        (parametrizations.spectral_norm, "0.parametrizations.weight.original"),
        (doubled, "0.parametrizations.weight.original"),
        (nn.utils.spectral_norm, "0.weight_orig"),
        (lambda layer: prune.random_unstructured(layer, "weight", 0.1), "0.weight_orig"),
    ],
)
@pytest.mark.parametrize("pruner", ["snip", "grasp", "synflow", "magnitude"])
def test_the_original_of_a_computed_weight_is_pruned(wrap, name, pruner):
    model = cut_network(wrap)
    scores = score(model, pruner, BATCHES)
    assert list(scores) == [name, "2.weight"]
    assert bool((scores[name] != 0).any())
    masks = select_masks(scores, 0.3)
    apply_masks(model, masks)
    logits = model(BATCHES[0][0])
    assert bool(torch.isfinite(logits).all())
    # What the layer computes with has the zeros of the mask.
    assert not bool((model[0].weight != 0)[~masks[name]].any())


@pytest.mark.parametrize("wrap", [parametrizations.weight_norm, nn.utils.weight_norm, parametrizations.orthogonal])
def test_a_weight_without_such_an_original_is_refused_and_may_be_left_alone(wrap):
    model = cut_network(wrap)
    with pytest.raises(SettingError, match=r"^prunable: 0 is not allowed: its weight is computed by .* keep$"):
        score(model, "snip", BATCHES)
    set_prunable(model, keep=["0"])
    assert list(score(model, "snip", BATCHES)) == ["2.weight"]


def test_lazy_layers_get_their_weights_before_they_are_scored():
    for pruner in ("snip", "magnitude", "synflow"):
        model = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(3))
        batches = iter(BATCHES)
        assert score(model, pruner, batches)["0.weight"].shape == (4, 1, 3, 3)
        assert model.training
    with pytest.raises(SettingError, match="prunable: 0 is lazy and has no weights yet"):
        set_prunable(nn.Sequential(nn.LazyConv2d(4, 3)))


def test_a_lazy_network_is_scored_on_all_images():
    images, labels = BATCHES[0]
    batches = [(images[:4], labels[:4]), (images[4:], labels[4:])]
    state, found = torch.get_rng_state(), []
    for given in (iter(batches), batches):
        torch.set_rng_state(state)
        model = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(3))
        found += [score(model, "snip", given), score(model, "snip", batches)]
    assert all(torch.equal(scores["0.weight"], found[0]["0.weight"]) for scores in found)


@pytest.mark.parametrize("wrap", [parametrizations.spectral_norm, nn.utils.spectral_norm])
def test_synflow_passes_a_spectral_norm_of_negative_weights(wrap):
    layer = nn.Conv2d(1, 6, 3, bias=False)
    nn.init.uniform_(layer.weight, -1, -0.5)
    model = nn.Sequential(wrap(layer), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.Flatten(), nn.Linear(64, 3))
    assert bool(score(model, "synflow", BATCHES)["2.weight"].all())


def test_weights_inside_of_attention_count_as_linear():
    attention = nn.MultiheadAttention(8, 2)
    assert list(set_prunable(attention, ["linear"], [])) == ["in_proj_weight", "out_proj.weight"]
    other = nn.MultiheadAttention(8, 2, kdim=4, vdim=4)
    names = ["q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight"]
    assert list(set_prunable(other, ["linear"], [])) == names


def test_a_network_without_such_layers_is_refused():
    with pytest.raises(SettingError, match="prunable: the network has no weight that may be pruned"):
        score(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), "magnitude", BATCHES)
