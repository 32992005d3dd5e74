"""Test what happens to networks whose scores say little or nothing: saturated, cut off, or without images."""

import csv
import json

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from anytime_pruning import register, run_stream, score, select_masks
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.pruning.pruners import check_informative, layers_without_score

BATCHES = [(torch.rand(6, 2, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 3)]


class Bounded(nn.Module):
    """Applies torch's functions in other ways than torch's own modules do."""

    def __init__(self, how):
        super().__init__()
        self.how = how

    def forward(self, x):
        return {
            "relu6": lambda: F.relu6(x),
            "relu6 in place": lambda: F.relu6(x, inplace=True),
            "hardtanh": lambda: F.hardtanh(input=x, min_val=0.0, max_val=4.0),
            "clamp": lambda: x.clamp(0, 6),
            "clamp by name": lambda: torch.clamp(x, min=0, max=6),
            "clamp in place": lambda: x.clamp_(0, 6),
            "sigmoid": lambda: torch.sigmoid(x),
            "sigmoid by name": lambda: torch.sigmoid(input=x),
            "method": lambda: x.sigmoid(),
            "tanh": lambda: torch.tanh(x),
            "hardsigmoid": lambda: F.hardsigmoid(x),
            "gate": lambda: x * torch.sigmoid(x.mean((2, 3), keepdim=True)),
        }[self.how]()


BOUNDED = ("relu6", "relu6 in place", "hardtanh", "clamp", "clamp by name", "clamp in place")
ALL = (*BOUNDED, "sigmoid", "sigmoid by name", "method", "tanh", "hardsigmoid", "gate")


def deep(activation):
    torch.manual_seed(0)
    layers = [part for a, b in ((2, 32), (32, 48), (48, 32)) for part in (nn.Conv2d(a, b, 3, padding=1), activation())]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 3))


@pytest.mark.parametrize("how", ALL)
def test_synflow_keeps_its_signal_behind_activations_that_saturate(how):
    scores = score(deep(lambda: Bounded(how)), "synflow", BATCHES)
    assert not layers_without_score(scores, {})
    if how in BOUNDED:
        masks = select_masks(scores, 0.3)
        assert all(bool(mask.any()) for mask in masks.values())


@pytest.mark.parametrize("how", BOUNDED)
def test_a_bounded_activation_scores_like_the_unbounded_one(how):
    """Compare with ReLU: a smaller input would show ReLU, and a factor of the input changes no ranking."""
    bounded, free = score(deep(lambda: Bounded(how)), "synflow", BATCHES), score(deep(nn.ReLU), "synflow", BATCHES)
    assert all(torch.equal(bounded[name], free[name]) for name in free)


def test_an_activation_that_does_not_saturate_keeps_its_derivative():
    model = nn.Sequential(nn.Conv2d(2, 3, 1), nn.Sigmoid(), nn.Flatten(), nn.Linear(192, 3))
    scores = score(model, "synflow", BATCHES)
    weight, bias, out = (model[i].weight.detach().double().abs() for i in (0, 0, 3))
    bias = model[0].bias.detach().double().abs()
    values = torch.sigmoid(weight.sum((1, 2, 3)) + bias)
    flow = out.sum(0).view(3, 64).sum(1) * values * (1 - values)
    assert torch.allclose(scores["0.weight"], weight * flow[:, None, None, None])


@pytest.mark.parametrize(("how", "times"), [("sigmoid", 1), ("gate", 2)])
def test_a_saturated_gate_passes_on_as_much_flow_as_its_layer_does(how, times):
    """Check the conservation of flow: with the slope of the secant, the scores of both layers sum to the flow.

    A layer that is multiplied by a gate of its own counts twice, because the flow goes through both factors.
    """
    model = nn.Sequential(nn.Conv2d(2, 64, 3, bias=False), Bounded(how), nn.Conv2d(64, 2, 3, bias=False), nn.Flatten())
    model[0].weight.data.mul_(1000)
    model[0].weight.data[:8].mul_(1e-5)  # What passes is a straight line where the gate does not saturate, too.
    sums = [float(part.sum()) for part in score(model, "synflow", BATCHES).values()]
    assert sums[0] == pytest.approx(times * sums[1])


def test_a_saturated_gate_may_get_zeros():
    model = nn.Sequential(nn.Conv2d(2, 8, 3, bias=False), nn.Sigmoid(), nn.Conv2d(8, 2, 3, bias=False), nn.Flatten())
    model[0].weight.data.mul_(1000)
    model[0].weight.data[0] = 0
    scores = score(model, "synflow", BATCHES)
    assert bool(scores["0.weight"][1:].all())
    assert not scores["0.weight"][0].any()
    assert bool(scores["2.weight"].all())


class Shifted(nn.Module):
    """Adds a constant, which is a buffer or an attribute that torch does not know of."""

    def __init__(self, is_buffer):
        super().__init__()
        if is_buffer:
            self.register_buffer("constant", torch.tensor(-0.5))
        else:
            self.constant = torch.tensor(-0.5)

    def forward(self, x):
        return (x + self.constant).relu()


@pytest.mark.parametrize("is_buffer", [True, False])
def test_a_negative_constant_stays_negative_for_synflow(is_buffer):
    model = nn.Sequential(
        nn.Conv2d(2, 8, 1, bias=False), Shifted(is_buffer), nn.Conv2d(8, 2, 1, bias=False), nn.Flatten()
    )
    scores = score(model, "synflow", BATCHES)
    passes = model[0].weight.detach().abs().sum((1, 2, 3)) > 0.5
    assert 0 < passes.sum() < 8
    assert torch.equal(scores["0.weight"].sum((1, 2, 3)) > 0, passes)


class Cut(nn.Module):
    """Has a convolution that no gradient reaches, and another one that gets some unless `whole`."""

    def __init__(self, whole, n_classes=3, channels=2):
        super().__init__()
        self.whole = whole
        self.cut, self.open = nn.Conv2d(channels, 4, 3), nn.Conv2d(channels, 8, 3)
        self.head = nn.Linear(12, n_classes)

    def forward(self, x):
        seen = self.open(x).relu()
        maps = [self.cut(x).detach(), seen.detach() if self.whole else seen]
        return self.head(torch.cat(maps, 1).mean((2, 3)))


@pytest.mark.parametrize("pruner", ["snip", "grasp", "synflow"])
def test_scores_that_say_nothing_are_refused_and_name_the_pruner(pruner):
    with pytest.raises(SettingError) as caught:
        score(Cut(whole=True), pruner, BATCHES)
    assert str(caught.value) == (
        f"pruner: '{pruner}' is not allowed here: it gives all 216 weights the score 0, which says nothing about them; "
        "likely no gradient reaches these layers, because activations saturate, a factor such as the gamma of a batch "
        "norm is zero, a layer before is empty, or the logits do not depend on them; choose another pruner, such as "
        "magnitude"
    )
    scores = score(Cut(whole=False), pruner, BATCHES)
    assert layers_without_score(scores, {}) == ["cut.weight"]


@pytest.mark.parametrize("pruner", ["snip", "grasp", "synflow"])
def test_logits_without_any_gradient_say_nothing(pruner):
    class Detached(Cut):
        def forward(self, x):
            return super().forward(x).detach()

    with pytest.raises(SettingError, match=r"it gives all 216 weights the score 0, which says nothing about them"):
        score(Detached(whole=False), pruner, BATCHES)


def test_equal_magnitudes_are_refused_too():
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.Linear(144, 3))
    nn.init.constant_(model[0].weight, -0.25)
    with pytest.raises(SettingError, match=r"all 72 weights the score 0\.25, .* all of these weights have the same"):
        score(model, "magnitude", BATCHES)


def test_only_weights_that_still_compete_have_to_differ():
    scores = {"a": torch.tensor([5.0, 1.0]), "b": torch.tensor([1.0, 7.0])}
    masks = {"a": torch.tensor([False, True]), "b": torch.tensor([True, False])}
    check_informative(scores, {}, "snip")
    with pytest.raises(SettingError, match="all 2 weights the score 1,"):
        check_informative(scores, masks, "snip")
    check_informative(scores, {"a": masks["a"], "b": ~masks["b"]}, "snip")
    check_informative({"a": torch.zeros(1)}, {}, "snip")


def test_a_layer_lacks_scores_if_those_of_its_remaining_weights_are_zero():
    scores = {"a": torch.tensor([5.0, 0.0]), "b": torch.tensor([0.0, 7.0]), "empty": torch.zeros(2)}
    masks = {name: torch.tensor([False, True]) for name in ("a", "b")} | {"empty": torch.tensor([False, False])}
    assert layers_without_score(scores, masks) == ["a"]
    assert layers_without_score(scores, {}) == ["empty"]


@pytest.mark.parametrize("pruner", ["snip", "grasp", "synflow"])
@pytest.mark.parametrize("batches", [[], iter([])])
def test_a_pruner_that_needs_images_says_so(pruner, batches):
    with pytest.raises(SettingError, match=f"^pruner: {pruner} needs images to score on, but no image was given"):
        score(Cut(whole=False), pruner, batches)
    used = iter(BATCHES)
    score(Cut(whole=False), pruner, used)
    list(used)
    with pytest.raises(SettingError, match="an iterator gives its batches only once"):
        score(Cut(whole=False), pruner, used)


@pytest.mark.parametrize("pruner", ["random", "magnitude"])
def test_a_pruner_without_images_needs_none(pruner):
    assert len(score(Cut(whole=False), pruner, [])) == 2


def test_a_run_names_and_counts_layers_without_score_and_empty_layers(forget, tiny, tmp_path, capsys):
    register("model", "cut_for_test")(lambda n, shape: Cut(whole=False, n_classes=n, channels=shape[0]))
    metrics = run_stream(tiny(model="cut_for_test", epochs=1), tmp_path)
    said = capsys.readouterr().err
    assert "warning: pruner snip, megabatch 1: all scores are 0 in network.cut.weight" in said
    assert "pruning has removed every weight of network.cut.weight" in said
    with open(tmp_path / "megabatches.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["zero_score_layers"] for row in rows][:1] == ["1"]
    assert rows[-1]["empty_layers"] == "1"
    assert metrics["final"]["zero_score_layers"] == 1
    assert metrics["final"]["empty_layers"] == 1
    assert json.loads((tmp_path / "metrics.json").read_text())["final"]["empty_layers"] == 1


def test_a_megabatch_at_which_nothing_is_chosen_has_no_layer_without_score(forget, tiny, tmp_path):
    register("model", "cut_for_test")(lambda n, shape: Cut(whole=False, n_classes=n, channels=shape[0]))
    run_stream(tiny(model="cut_for_test", epochs=1, n_megabatches=2, tau=1.001), tmp_path)
    with open(tmp_path / "megabatches.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["kept_count"] == rows[1]["kept_count"]
    assert [row["zero_score_layers"] for row in rows] == ["1", "0"]


def test_a_run_whose_scores_say_nothing_writes_no_results(forget, tiny, tmp_path):
    register("model", "all_cut_for_test")(lambda n, shape: Cut(whole=True, n_classes=n, channels=shape[0]))
    with pytest.raises(SettingError, match=r"'snip' is not allowed here: .*, at megabatch 1; no results were written"):
        run_stream(tiny(model="all_cut_for_test", epochs=1), tmp_path)
    assert not (tmp_path / "metrics.json").exists()


class Attention(nn.Module):
    def forward(self, x):
        tokens = x.flatten(2).transpose(1, 2)[:, None].contiguous()
        return F.scaled_dot_product_attention(tokens, tokens, tokens)[:, 0].mean(1)


def test_grasp_computes_attention_in_its_plain_form():
    model = nn.Sequential(nn.Conv2d(2, 16, 3), Attention(), nn.Linear(16, 3))
    assert bool(score(model, "grasp", BATCHES)["0.weight"].any())


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        return gradient * 2


class OnceLayer(nn.Module):
    def forward(self, x):
        return Once.apply(x)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.Hardsigmoid(), "torch has none of hardsigmoid; replace it in the network, or choose"),
        (OnceLayer(), "torch has none of an operation of the network; replace it in the network, or choose"),
    ],
)
def test_grasp_names_an_operation_without_a_second_derivative(layer, message):
    model = nn.Sequential(nn.Conv2d(2, 4, 3), layer, nn.Flatten(), nn.Linear(144, 3))
    before = [parameter.clone() for parameter in model.parameters()]
    with pytest.raises(SettingError, match=f"^pruner: grasp needs second derivatives, and {message}"):
        score(model, "grasp", BATCHES)
    assert all(torch.equal(parameter, old) for parameter, old in zip(model.parameters(), before))
    assert bool(score(model, "snip", BATCHES)["0.weight"].any())


class Wrapped(nn.Module):
    """Computes one layer in a checkpoint, and uses a constant that is no buffer."""

    def __init__(self, use_reentrant):
        super().__init__()
        self.first, self.second, self.head = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, 3)
        self.use_reentrant, self.blur = use_reentrant, torch.ones(4, 1, 2, 2) / 4

    def forward(self, x):
        x = F.conv2d(self.first(x).relu(), self.blur, groups=4)
        if self.use_reentrant is not None:
            x = checkpoint(self.second, x, use_reentrant=self.use_reentrant)
        else:
            x = self.second(x)
        return self.head(x.relu().mean((2, 3)))


@pytest.mark.parametrize("pruner", ["snip", "synflow"])
@pytest.mark.parametrize("how", ["checkpoint", "re-entrant checkpoint", "data parallel"])
def test_wrapped_and_checkpointed_networks_score_like_plain_ones(pruner, how):
    torch.manual_seed(0)
    plain = Wrapped(None)
    other = Wrapped({"checkpoint": False, "re-entrant checkpoint": True}.get(how))
    other.load_state_dict(plain.state_dict())
    model = nn.DataParallel(other) if how == "data parallel" else other
    expected, found = score(plain, pruner, BATCHES), score(model, pruner, BATCHES)
    assert [part.tolist() for part in found.values()] == [part.tolist() for part in expected.values()]


def test_a_layer_that_a_checkpointed_network_does_not_use_gets_no_score():
    model = Wrapped(True)
    model.unused = nn.Conv2d(4, 4, 3)
    scores = score(model, "snip", BATCHES)
    assert not scores["unused.weight"].any()
    assert bool(scores["second.weight"].any())
    assert model.unused.weight.grad is None


def test_grasp_says_how_to_checkpoint():
    message = (
        "^pruner: grasp needs second derivatives, and re-entrant checkpoints have none; call "
        "torch.utils.checkpoint.checkpoint with use_reentrant=False, or choose another pruner, such as snip$"
    )
    with pytest.raises(SettingError, match=message):
        score(Wrapped(True), "grasp", BATCHES)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("pruner", ["snip", "grasp", "synflow", "magnitude"])
def test_scripted_networks_score_like_plain_ones(pruner):
    plain = deep(nn.ReLU)
    scripted = torch.jit.script(deep(nn.ReLU))
    expected, found = score(plain, pruner, BATCHES), score(scripted, pruner, BATCHES)
    assert list(found) == list(expected)
    assert all(torch.allclose(found[name], expected[name], rtol=1e-4, atol=1e-7) for name in expected)
    assert all(torch.equal(a, b) for a, b in zip(scripted.state_dict().values(), plain.state_dict().values()))


@pytest.mark.parametrize("pruner", ["snip", "grasp"])
def test_a_network_with_auxiliary_outputs_is_refused(pruner):
    class Auxiliary(Cut):
        def forward(self, x):
            return (super().forward(x), None) if self.training else super().forward(x)

    with pytest.raises(SettingError, match=r"^model: a network that returns a tuple is not allowed"):
        score(Auxiliary(whole=False), pruner, BATCHES)


def test_a_flow_too_large_for_float64_is_refused():
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(64, 3))
    model.double()
    for parameter in model.parameters():
        parameter.data.fill_(1e200)
    with pytest.raises(SettingError, match=r"^pruner: 'synflow' is not allowed with this network: its flow of"):
        score(model, "synflow", [(BATCHES[0][0].double(), BATCHES[0][1])])
