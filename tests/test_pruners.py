import copy

import pytest
import torch
from torch.nn import functional as F

from anytime_pruning import register, score
from anytime_pruning.errors import SettingError
from anytime_pruning.masks import prunable_weights
from anytime_pruning.registry import names


def summed_loss(model, batches):
    model.train()
    return sum(F.cross_entropy(model(images), labels).item() for images, labels in batches)


def test_snip_is_the_derivative_by_a_mask(toy_model, toy_batches):
    """Against central differences of the loss as each weight is scaled by 1 + h and 1 - h."""
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


@pytest.mark.parametrize("pruner", names("pruner"))
@pytest.mark.parametrize("training", [True, False])
def test_scoring_leaves_the_network_as_it_was(pruner, training, toy_model, toy_batches):
    toy_model.train(training)
    toy_model[1].eval()  # modes of single modules survive, too
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
def test_unused_and_frozen_convolutions_are_scored(pruner, toy_model, toy_batches):
    toy_model[0].weight.requires_grad_(False)
    toy_model.unused = torch.nn.Identity()
    toy_model.unused.conv = torch.nn.Conv2d(1, 1, 1).double()
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda scores: scores.pop("3.weight"), r"None for 3.weight, expected torch.Size\(\[2, 3, 2, 2\]\)"),
        (lambda scores: scores.update(other=torch.ones(1)), r"torch.Size\(\[1\]\) for other, expected None"),
        (lambda scores: scores.update({"0.weight": torch.ones(2)}), r"torch.Size\(\[2\]\) for 0.weight, expected"),
        (lambda scores: scores.clear(), "None for 0.weight"),
    ],
)
def test_a_pruner_must_score_each_prunable_weight(change, message, forget, toy_model):
    @register("pruner", "wrong_for_test")
    def wrong(model, batches, generator):
        scores = {name: weight.detach() for name, weight in prunable_weights(model).items()}
        change(scores)
        return scores

    with pytest.raises(SettingError, match=f"pruner: 'wrong_for_test' gives scores of shape {message}"):
        score(toy_model, "wrong_for_test", [])


def test_unknown_pruner_lists_the_known():
    with pytest.raises(SettingError, match=r"pruner: 'snap' is not known; allowed: .*snip"):
        score(torch.nn.Conv2d(1, 1, 1), "snap", [])


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="'snip' is registered twice"):
        register("pruner", "snip")(lambda model, batches, generator: {})
    with pytest.raises(ValueError, match=r"'prunner' is not a kind .* allowed: dataset, method, model, pruner, replay"):
        register("prunner", "mine")
