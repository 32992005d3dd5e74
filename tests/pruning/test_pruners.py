"""Test the scores of each pruner against their definition, and that scoring leaves the network as it was."""

import copy

import pytest
import torch
from torch.nn import functional as F

from anytime_pruning import build_model, register, score
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.registry import lookup, names
from anytime_pruning.machine.kernels.memory_format import arrange
from anytime_pruning.pruning.prunable import prunable_weights, set_prunable
from anytime_pruning.pruning.pruners import grasp, rounds_of
from anytime_pruning.pruning.pruners.scoring import in_rounds
from anytime_pruning.pruning.selections import make_selection
from anytime_pruning.pruning.selections.unstructured import select_masks


def summed_loss(model, batches):
    model.train()
    return sum(F.cross_entropy(model(images), labels).item() for images, labels in batches)


def test_snip_is_the_derivative_by_a_mask(toy_model, toy_batches):
    """Compare with central differences of the loss as each weight is scaled by 1 + h and 1 - h."""
    scores = score(toy_model, "snip", toy_batches)
    h = 1e-5
    for name, weight in prunable_weights(toy_model).items():
        flat = weight.data.view(-1)
        for i in range(len(flat)):
            original = float(flat[i])
            flat[i] = original * (1 + h)
            above = summed_loss(toy_model, toy_batches)
            flat[i] = original * (1 - h)
            below = summed_loss(toy_model, toy_batches)
            flat[i] = original
            assert float(scores[name].view(-1)[i]) == pytest.approx(abs(above - below) / (2 * h), abs=1e-8)


def test_snip_sums_before_the_absolute_value(toy_model, toy_batches):
    each = [score(toy_model, "snip", [batch]) for batch in toy_batches]
    both = score(toy_model, "snip", toy_batches)
    assert all(bool((both[name] <= each[0][name] + each[1][name] + 1e-12).all()) for name in both)
    assert any(bool((both[name] < each[0][name] + each[1][name] - 1e-6).any()) for name in both)


def test_magnitude_is_the_absolute_weight(toy_model):
    scores = score(toy_model, "magnitude", [])
    assert torch.equal(scores["3.weight"], toy_model[3].weight.detach().abs())


def test_random_follows_its_generator(toy_model):
    def draw(seed):
        return score(toy_model, "random", [], torch.Generator().manual_seed(seed))["0.weight"]

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))
    assert torch.equal(score(toy_model, "random", [])["0.weight"], draw(0))


def test_random_scores_are_on_the_device_of_the_weights(toy_model):
    scores = lookup("pruner", "random")(toy_model.to("meta"), [], torch.Generator())
    assert {part.device for part in scores.values()} == {torch.device("meta")}


def by_differences(model, value, relative):
    """Return central differences of value() for each prunable weight.

    With `relative`, differences are taken for the weight's logarithm and are thus multiplied by the weight.
    """
    found = {}
    for name, weight in prunable_weights(model).items():
        flat, differences = weight.data.view(-1), torch.zeros(weight.numel(), dtype=torch.float64)
        for i in range(len(flat)):
            original = float(flat[i])
            h = 1e-5 * (abs(original) if relative else 1)
            flat[i] = original + h
            above = value()
            flat[i] = original - h
            below = value()
            flat[i] = original
            differences[i] = (above - below) / (2 * h) * (original if relative else 1)
        found[name] = differences.view_as(weight)
    return found


def test_grasp_is_the_derivative_of_the_gradients_flow(toy_model, toy_batches):
    """Compare with central differences of g_a . g_b, with g_a fixed and the classes balanced by hand.

    g_a is the gradient at the network's own weights.
    """
    images, labels = (torch.cat(parts) for parts in zip(*toy_batches))
    assert labels.tolist() == [0, 1, 2, 3, 0, 0, 1, 2]  # Class 3 has one image, so each class gives one.
    chosen = [(images[:4], labels[:4])]
    scores = score(toy_model, "grasp", iter(toy_batches))

    def gradient():
        toy_model.train()
        loss = sum(F.cross_entropy(toy_model(images) / 200, labels) for images, labels in chosen)
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(prunable_weights(toy_model).values()))])

    fixed = gradient()
    expected = by_differences(toy_model, lambda: float(fixed @ gradient()), relative=True)
    for name, found in scores.items():
        assert torch.allclose(found, expected[name], rtol=1e-5, atol=1e-12)
        assert (found < 0).any()
        assert (found > 0).any()
        assert found.abs().max() > 1e-7  # The scores are far above the tolerance.


def test_grasp_sums_the_fixed_gradient_over_all_batches(toy_model):
    """Check that the score is w * (H_1 + H_2)(g_1 + g_2), and not the sum of the scores of two single batches.

    H is linear in the batches.
    """
    generator = torch.Generator().manual_seed(3)
    batches = [(torch.rand(4, 1, 4, 4, dtype=torch.float64, generator=generator), torch.arange(4)) for _ in range(2)]
    both = score(toy_model, "grasp", batches)
    toy_model.train()
    weights = list(prunable_weights(toy_model).values())
    losses = [F.cross_entropy(toy_model(images) / 200, labels) for images, labels in batches]
    gradients = [torch.autograd.grad(loss, weights, create_graph=True) for loss in losses]
    fixed = [sum(parts).detach() for parts in zip(*gradients)]
    flow = sum((f * sum(parts)).sum() for f, parts in zip(fixed, zip(*gradients)))
    expected = torch.autograd.grad(flow, weights)
    for found, weight, part in zip(both.values(), weights, expected):
        assert torch.allclose(found, weight.detach() * part, rtol=1e-9, atol=1e-16)


def test_grasp_takes_as_many_images_of_each_class_in_their_order(toy_model):
    labels = torch.tensor([2, 2, 0, 2, 0, 0, 3, 3])
    images = torch.arange(8, dtype=torch.float64).view(8, 1, 1, 1)
    found = grasp._balance([(images[:5], labels[:5]), (images[5:], labels[5:])])
    # No batch has a single image.
    assert [part.flatten().tolist() for part, _ in found] == [[0, 1, 2, 4, 6, 7]]
    assert torch.cat([part for _, part in found]).bincount().tolist() == [2, 0, 2, 2]


def test_synflow_is_the_derivative_of_the_flow_of_absolute_weights(toy_model):
    toy_model.train()
    # A forward pass moves the running statistics away from 0 and 1.
    toy_model(torch.randn(9, 1, 4, 4, dtype=torch.float64))
    scores = score(toy_model, "synflow", [(torch.rand(3, 1, 4, 4, dtype=torch.float64), torch.tensor([0, 1, 2]))])
    positive = copy.deepcopy(toy_model).eval()
    for parameter in positive.parameters():
        parameter.data.abs_()

    def flow():
        with torch.no_grad():
            return float(positive(torch.ones(1, 1, 4, 4, dtype=torch.float64)).sum())

    expected = by_differences(positive, flow, relative=True)
    for name, found in scores.items():
        assert torch.allclose(found, expected[name].abs(), rtol=1e-5, atol=1e-10)
        assert found.max() > 1e-4


def test_synflow_conserves_flow_through_layers_without_biases():
    """Check what SynFlow's paper proves: the scores of each layer sum to the same number, which is the flow itself."""
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 3, bias=False), torch.nn.ReLU(), torch.nn.Conv2d(3, 5, 2, bias=False), torch.nn.Flatten()
    )
    scores = score(model, "synflow", [(torch.rand(2, 1, 4, 4), torch.tensor([0, 1]))])
    sums = [float(part.sum()) for part in scores.values()]
    assert sums[0] == pytest.approx(sums[1], rel=1e-9)


def test_a_pruner_may_prune_in_rounds(forget):
    assert rounds_of("synflow") == 100
    assert rounds_of("snip") == 1
    register("pruner", "in_seven_rounds")(in_rounds(7)(lambda model, batches, generator: {}))
    assert rounds_of("in_seven_rounds") == 7


def test_synflow_does_not_overflow_in_a_deep_network():
    scores = score(build_model("resnet56", 10, (3, 32, 32)), "synflow", [(torch.rand(2, 3, 32, 32), torch.zeros(2))])
    assert all(torch.isfinite(part).all() and part.max() > 0 for part in scores.values())


@pytest.mark.parametrize("pruner", ["grasp", "synflow"])
def test_pruners_that_need_images_say_so(pruner, toy_model):
    with pytest.raises(SettingError, match=f"pruner: {pruner} needs .* no image was given"):
        score(toy_model, pruner, iter([]))


@pytest.mark.parametrize("pruner", names("pruner"))
def test_scores_do_not_depend_on_autocast_or_memory_format_where_exact(pruner):
    """Check that criteria that differentiate twice or can overflow keep their own precision.

    SNIP uses the precision of the run, as training does.
    """
    shape, labels = (3, 16, 16), torch.arange(12) % 3
    images = torch.rand(12, *shape, generator=torch.Generator().manual_seed(0))
    plain, arranged = (build_model("resnet20", 3, shape, seed=1) for _ in range(2))
    expected = score(plain, pruner, [(images, labels)])
    arrange(arranged, shape, torch.device("cpu"))
    with torch.autocast("cpu", torch.bfloat16):
        found = score(arranged, pruner, [(images, labels)])
    everything, like = (torch.cat([part.flatten() for part in scores.values()]) for scores in (found, expected))
    error = float((everything - like).norm() / like.norm())
    assert error < (0.3 if pruner.startswith("snip") else 1e-3)
    assert (error > 1e-3) == pruner.startswith("snip")


class Compares(torch.nn.Module):
    """Multiplies its maps with each other, in a precision of its own."""

    def __init__(self, dtype):
        super().__init__()
        self.dtype = dtype

    def forward(self, x):
        maps = x.flatten(2).to(self.dtype)
        return (maps @ maps.transpose(1, 2)).to(x.dtype)


@pytest.mark.parametrize("pruner", ["grasp", "synflow"])
def test_what_a_network_computes_in_float32_is_not_cast_by_autocast(pruner, toy_batches):
    found = []
    for dtype in (torch.float64, torch.float32):
        torch.manual_seed(0)
        layers = (torch.nn.Conv2d(1, 3, 3), Compares(dtype), torch.nn.Flatten(), torch.nn.Linear(9, 4))
        with torch.autocast("cpu", torch.bfloat16):
            found.append(score(torch.nn.Sequential(*layers).double(), pruner, toy_batches)["0.weight"])
    assert (found[0] - found[1]).norm() < 1e-5 * found[0].norm()


@pytest.mark.parametrize("pruner", names("pruner"))
@pytest.mark.parametrize("training", [True, False])
def test_scoring_leaves_the_network_as_it_was(pruner, training, toy_model, toy_batches):
    toy_model.train(training)
    toy_model[1].eval()  # The modes of single modules survive as well.
    F.cross_entropy(toy_model(toy_batches[0][0]), toy_batches[0][1]).backward()
    before = copy.deepcopy(toy_model.state_dict())
    gradients = {name: parameter.grad.clone() for name, parameter in toy_model.named_parameters()}
    modes = [module.training for module in toy_model.modules()]
    random_state = torch.get_rng_state()

    scores = score(toy_model, pruner, toy_batches)

    assert {name: tensor.shape for name, tensor in scores.items()} == {
        name: weight.shape for name, weight in prunable_weights(toy_model).items()
    }
    assert all(not tensor.requires_grad for tensor in scores.values())
    assert all(torch.equal(tensor, before[name]) for name, tensor in toy_model.state_dict().items())
    assert all(torch.equal(p.grad, gradients[name]) for name, p in toy_model.named_parameters())
    assert modes == [module.training for module in toy_model.modules()]
    assert torch.equal(random_state, torch.get_rng_state())


def test_a_failing_pruner_leaves_the_network_as_it_was(toy_model, toy_batches):
    toy_model.eval()
    running_mean = toy_model[1].running_mean.clone()
    broken = [*toy_batches, (torch.rand(2, 7, 4, 4, dtype=torch.float64), torch.tensor([0, 1]))]
    with pytest.raises(RuntimeError):
        score(toy_model, "snip", broken)
    assert not toy_model.training
    assert torch.equal(toy_model[1].running_mean, running_mean)


@pytest.mark.parametrize("pruner", names("pruner"))
def test_unused_convolutions_are_scored_and_frozen_ones_only_on_demand(pruner, toy_model, toy_batches):
    toy_model[0].weight.requires_grad_(False)
    toy_model.unused = torch.nn.Identity()
    toy_model.unused.conv = torch.nn.Conv2d(1, 1, 1).double()
    # A network that was scored once has no choice of its own afterwards.
    assert list(score(toy_model, pruner, toy_batches)) == ["3.weight", "unused.conv.weight"]
    set_prunable(toy_model, keep=["classifier"])
    scores = score(toy_model, pruner, toy_batches)
    assert list(scores) == ["0.weight", "3.weight", "unused.conv.weight"]
    if pruner == "snip":
        assert bool((scores["0.weight"] > 0).any())
        assert float(scores["unused.conv.weight"].abs().sum()) == 0
    assert not toy_model[0].weight.requires_grad
    assert toy_model[3].weight.requires_grad


def test_a_pruner_may_change_weights_while_it_scores(forget, toy_model):
    @register("pruner", "changes_for_test")
    def change(model, batches, generator):
        for parameter in model.parameters():
            parameter.data.abs_()
        return {name: weight.detach().clone() for name, weight in prunable_weights(model).items()}

    before = copy.deepcopy(toy_model.state_dict())
    score(toy_model, "changes_for_test", [])
    assert all(torch.equal(tensor, before[name]) for name, tensor in toy_model.state_dict().items())


def test_scores_that_share_memory_with_the_network_outlive_its_restoration(forget, toy_model):
    @register("pruner", "alias_for_test")
    def alias(model, batches, generator):
        return {name: weight.data.mul_(-1) for name, weight in prunable_weights(model).items()}

    before = {name: weight.detach().clone() for name, weight in prunable_weights(toy_model).items()}
    scores = score(toy_model, "alias_for_test", [])
    assert all(torch.equal(scores[name], -weight) for name, weight in before.items())
    assert all(torch.equal(weight, before[name]) for name, weight in prunable_weights(toy_model).items())
    assert not any(part.requires_grad for part in scores.values())


WEIGHT = "0.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda scores: scores.pop("3.weight"), r"no score for 3\.weight; wanted: \{parameter name: score\}"),
        (lambda scores: scores.clear(), r"no score for 0\.weight"),
        (lambda scores: scores.update(other=torch.ones(1)), "a score for 'other', which is no prunable weight"),
        (lambda scores: scores.update({3: torch.ones(1)}), "a score for 3, which is no"),
        (
            lambda scores: scores.update({WEIGHT: torch.ones(2)}),
            r"a tensor of shape \[2\] for 0\.weight; .*\[3, 1, 3, 3\]",
        ),
        (lambda scores: scores.update({WEIGHT: 0.5}), r"0\.5 of type float for 0\.weight"),
        (lambda scores: scores.update({WEIGHT: scores[WEIGHT].numpy()}), r"of type ndarray for 0\.weight"),
        (lambda scores: scores.update({WEIGHT: scores[WEIGHT].to_sparse()}), r"with the layout torch\.sparse_coo for"),
        (lambda scores: scores.update({WEIGHT: scores[WEIGHT] > 0}), r"a tensor of type torch\.bool for 0\.weight"),
        (lambda scores: scores.update({WEIGHT: scores[WEIGHT] * 1j}), r"a tensor of type torch\.complex128 for"),
        (lambda scores: scores.update({WEIGHT: scores[WEIGHT].to("meta")}), r"a tensor on meta for .* on cpu"),
    ],
)
def test_a_pruner_must_score_each_prunable_weight(change, message, forget, toy_model):
    @register("pruner", "wrong_for_test")
    def wrong(model, batches, generator):
        scores = {name: weight.detach() for name, weight in prunable_weights(model).items()}
        change(scores)
        return scores

    with pytest.raises(SettingError, match=f"pruner: 'wrong_for_test' is not allowed: it returns .*{message}") as error:
        score(toy_model, "wrong_for_test", [])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "wrap", [lambda scores: None, lambda scores: list(scores.values()), lambda s: tuple(s.items())]
)
def test_a_pruner_must_return_a_mapping(wrap, forget, toy_model):
    register("pruner", "no_mapping_for_test")(lambda model, batches, generator: wrap(prunable_weights(model)))
    with pytest.raises(
        SettingError,
        match=r"it returns a (NoneType|list|tuple); wanted: \{parameter name: score\}, with a dense tensor",
    ):
        score(toy_model, "no_mapping_for_test", [])


@pytest.mark.parametrize("selection", names("selection"))
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.uint8, torch.int64])
def test_scores_may_be_real_numbers_of_any_usual_type(dtype, selection, forget):
    model = torch.nn.Sequential(torch.nn.Conv2d(4, 8, 3), torch.nn.Conv2d(8, 4, 3))

    @register("pruner", "typed_for_test")
    def typed(model, batches, generator):
        return {name: (100 * weight.detach().abs()).to(dtype) for name, weight in prunable_weights(model).items()}

    scores = score(model, "typed_for_test", [])
    masks = make_selection(selection, "2:4").select(scores, 0.75, "global", None)
    assert sum(int(mask.sum()) for mask in masks.values()) == round(0.75 * 2 * 4 * 8 * 9)


def test_unknown_pruner_lists_the_known():
    with pytest.raises(SettingError, match=r"pruner: 'snap' is not known; allowed: .*snip"):
        score(torch.nn.Conv2d(1, 1, 1), "snap", [])


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="'snip' is registered twice"):
        register("pruner", "snip")(lambda model, batches, generator: {})
    with pytest.raises(
        ValueError,
        match=r"'prunner' is not a kind .* allowed: dataset, figure, method, model, protocol, prunable, pruner",
    ):
        register("prunner", "mine")


def test_shuffled_snip_keeps_as_many_weights_in_each_layer_as_snip_but_others(toy_model, toy_batches):
    name = next(iter(prunable_weights(toy_model)))
    with torch.no_grad():
        prunable_weights(toy_model)[name].flatten()[::3] = 0
    by_snip = score(toy_model, "snip", toy_batches)
    shuffled, again, other = (
        score(toy_model, "snip_shuffled", toy_batches, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    for layer, values in by_snip.items():
        assert torch.equal(shuffled[layer].flatten().sort().values, values.flatten().sort().values)
        assert torch.equal(shuffled[layer], again[layer])
        assert not torch.equal(shuffled[layer], values)
    assert any(not torch.equal(shuffled[layer], other[layer]) for layer in other)
    assert not shuffled[name].flatten()[::3].any()  # a weight that is zero gets no score of another
    masks = [select_masks(scores, 0.4) for scores in (by_snip, shuffled)]
    assert [int(mask.sum()) for mask in masks[0].values()] == [int(mask.sum()) for mask in masks[1].values()]
