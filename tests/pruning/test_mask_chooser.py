"""Test which draws, scores and counts the choice of masks for a network depends on."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.registry import register
from anytime_pruning.pruning.mask_chooser import MaskChooser, ScoringOptions
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.pruning.selections import Selection
from anytime_pruning.stream.images import ImageSet

OPTIONS = ScoringOptions(
    pruner="random",
    selection="unstructured",
    pattern="2:4",
    scope="global",
    batch_size=10,
    precision="float32",
    augment=False,
    seed=0,
)


@pytest.fixture
def choose(images):
    """Return a function that chooses half of 1000 weights, or as told."""

    def make(masks=None, density=0.5, t=1, **changes):
        chooser = MaskChooser(network(), images, replace(OPTIONS, **changes))
        return chooser.choose(masks or {}, density, torch.arange(20), t)["0.weight"].flatten()

    return make


@pytest.fixture
def images():
    return ImageSet(torch.zeros(30, 1, 8, 8, dtype=torch.uint8), torch.arange(30) % 4)


def network():
    model = nn.Sequential(nn.Conv2d(1, 40, 5, bias=False), nn.Flatten(), nn.Linear(640, 4))
    with torch.no_grad():
        model[0].weight.copy_(torch.randn(40, 1, 5, 5, generator=torch.Generator().manual_seed(3)))
    return model


def add_pruner(score_of):
    """Register the pruner `made_up`, which scores a weight by a function of its name and itself."""

    @register("pruner", "made_up")
    def score(model, batches, generator):
        return {name: score_of(name, weight.detach()) for name, weight in prunable_weights(model).items()}


def test_random_scores_depend_on_the_seed_and_the_megabatch_alone(choose):
    first = choose()
    torch.manual_seed(77)
    assert torch.equal(choose(), first)
    assert not torch.equal(choose(t=2), first)
    assert not torch.equal(choose(seed=1), first)


def test_the_draw_among_equal_scores_depends_on_the_seed_and_the_megabatch_alone(choose, forget):
    add_pruner(lambda name, weight: (torch.arange(weight.numel()) < 100).float().view_as(weight))
    first = choose(pruner="made_up")
    torch.manual_seed(77)
    assert torch.equal(choose(pruner="made_up"), first)
    assert not torch.equal(choose(pruner="made_up", t=2), first)
    assert not torch.equal(choose(pruner="made_up", seed=1), first)
    assert bool(first[:100].all())


def test_the_draw_among_equal_scores_is_another_than_that_of_the_scores(choose, forget):
    """Random scores that are one bit each would otherwise be the draw's own numbers."""
    add_pruner(lambda name, weight: torch.cat([torch.ones(1), torch.zeros(weight.numel() - 1)]).view_as(weight))
    assert not torch.equal(choose(pruner="made_up"), choose(pruner="random"))


@pytest.mark.parametrize(("precision", "is_mixed"), [("float32", False), ("bfloat16", True)])
def test_scores_are_computed_in_the_precision_of_the_run(choose, forget, precision, is_mixed):
    seen = []

    def score_of(name, weight):
        seen.append(torch.is_autocast_enabled("cpu"))
        return weight.abs()

    add_pruner(score_of)
    choose(pruner="made_up", precision=precision)
    assert seen == [is_mixed]


def test_the_count_is_that_of_the_density_itself_after_a_pruning(choose):
    # 0.8 * (0.0135 / 0.8) ** 1 is not 0.0135 but a little more, by which 14 weights would stay instead of 13.
    masks = {"0.weight": choose(density=0.8).view(40, 1, 5, 5)}
    for density in (0.0135, 0.0145, 0.0255, 0.2045):
        assert int(choose(masks, density, pruner="magnitude").sum()) == round(density * 1000)


def test_masks_nest_whatever_pruned_weights_score(choose):
    masks = {"0.weight": choose().view(40, 1, 5, 5)}
    after = choose(masks, 0.2, t=2)
    assert int(after.sum()) == 200
    assert not bool((after & ~masks["0.weight"].flatten()).any())
    with pytest.raises(SettingError, match="only 500 are left, at megabatch 2"):
        choose(masks, 0.8, t=2)


def test_one_round_leaves_the_network_alone(images):
    model = network()
    MaskChooser(model, images, OPTIONS).choose({}, 0.5, torch.arange(20), 1)
    assert torch.equal(model[0].weight, network()[0].weight)


def test_a_pruner_sees_the_sample_in_batches(images, forget):
    seen = []

    @register("pruner", "made_up")
    def score(model, batches, generator):
        seen.extend(labels.tolist() for _, labels in batches)
        return {name: weight.detach().abs() for name, weight in prunable_weights(model).items()}

    chooser = MaskChooser(network(), images, replace(OPTIONS, pruner="made_up", batch_size=4))
    chooser.choose({}, 0.5, torch.tensor([0, 1, 2, 3, 7, 6, 5, 4]), 1)
    assert seen == [[0, 1, 2, 3], [3, 2, 1, 0]]


def test_scores_must_say_something_about_the_weights_that_compete(choose, forget):
    add_pruner(lambda name, weight: torch.cat([torch.full((1,), 2.0), torch.ones(weight.numel() - 1)]).view_as(weight))
    assert int(choose(pruner="made_up").sum()) == 500
    masks = {"0.weight": (torch.arange(1000) > 0).view(40, 1, 5, 5)}
    with pytest.raises(
        SettingError, match=r"'made_up' is not allowed here: it gives all 999 weights .* at megabatch 2"
    ):
        choose(masks, pruner="made_up", t=2)


def test_layers_without_scores_are_named_unless_masks_have_emptied_them(images, forget, capsys):
    model = nn.Sequential(
        *(nn.Conv2d(1, 1, 3, padding=1, bias=False) for _ in range(3)), nn.Flatten(), nn.Linear(64, 4)
    )
    add_pruner(lambda name, weight: weight.abs() if name == "0.weight" else torch.zeros_like(weight))
    chooser = MaskChooser(model, images, replace(OPTIONS, pruner="made_up"))
    assert chooser.zero_score_layers == []
    chooser.choose({}, 0.9, torch.arange(20), 1)
    assert chooser.zero_score_layers == ["1.weight", "2.weight"]
    assert "megabatch 1: all scores are 0 in 1.weight, 2.weight" in capsys.readouterr().err
    masks = {name: torch.full((1, 1, 3, 3), name != "1.weight") for name in prunable_weights(model)}
    chooser.choose(masks, 0.5, torch.arange(20), 2)
    assert chooser.zero_score_layers == ["2.weight"]


def two_layers(second=0.01):
    """Return a network of two convolutions of 9 and 18 weights, of which those of the second are small."""
    model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, bias=False), nn.Conv2d(1, 2, 3, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.arange(1.0, 10).view(1, 1, 3, 3))
        model[1].weight.copy_(second * torch.arange(1.0, 19).view(2, 1, 3, 3))
    return model


def choose_as_released(model, images, density, t=1, masks=None, **changes):
    chooser = MaskChooser(model, images, replace(OPTIONS, **changes))
    chosen = chooser.choose_as_released(masks or {}, density, torch.arange(20), t, 10)
    return {name: mask.flatten() for name, mask in chosen.items()}, chooser.zero_score_layers


def test_random_scores_of_the_released_code_depend_on_the_seed_and_the_megabatch_alone(images):
    def choose(t=1, seed=0):
        return choose_as_released(network(), images, 0.5, t, seed=seed)[0]["0.weight"]

    first = choose()
    torch.manual_seed(77)
    assert torch.equal(choose(), first)
    assert not torch.equal(choose(t=2), first)
    assert not torch.equal(choose(seed=1), first)


@pytest.mark.parametrize(("scope", "kept"), [("global", (9, 10)), ("local", (7, 13))])
def test_the_released_code_ranks_all_weights_together_or_those_of_each_layer(images, scope, kept):
    # int(0.33 * 27) = 8 weights are cut, or in the layers int(0.33 * 9) = 2 and int(0.33 * 18) = 5.
    masks, _ = choose_as_released(two_layers(), images, 0.67, pruner="magnitude", scope=scope)
    assert tuple(int(mask.sum()) for mask in masks.values()) == kept


def test_an_error_of_the_released_code_names_the_megabatch(images):
    with pytest.raises(SettingError, match=r"'synflow' is not allowed with protocol released.* at megabatch 3"):
        choose_as_released(two_layers(), images, 0.5, t=3, pruner="synflow")


def test_layers_without_scores_are_named_with_the_released_code_too(images, capsys):
    _, without = choose_as_released(two_layers(second=0.0), images, 0.5, pruner="magnitude")
    assert without == ["1.weight"]
    assert "megabatch 1: all scores are 0 in 1.weight" in capsys.readouterr().err
    masks = {
        "0.weight": torch.ones(1, 1, 3, 3, dtype=torch.bool),
        "1.weight": torch.zeros(2, 1, 3, 3, dtype=torch.bool),
    }
    _, without = choose_as_released(two_layers(second=0.0), images, 0.5, masks=masks, pruner="magnitude")
    assert without == []


def test_the_released_code_scores_fresh_weights_and_leaves_the_network_alone(images):
    model = two_layers()
    first, _ = choose_as_released(model, images, 0.5, t=2, pruner="magnitude")
    assert torch.equal(model[0].weight, two_layers()[0].weight)
    again, _ = choose_as_released(two_layers(second=5.0), images, 0.5, t=2, pruner="magnitude")
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["0.weight"], choose_as_released(model, images, 0.5, pruner="magnitude")[0]["0.weight"])


class Odd(Selection):
    """Selects what a function says."""

    def __init__(self, change):
        self.change = change

    def select(self, scores, density, scope, kept):
        return self.change({name: score > 0 for name, score in scores.items()})


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (Odd, r"it is registered as <class .*Odd'>; wanted: an object of a subclass of Selection"),
        (Odd(lambda masks: None), r"it returns a NoneType; wanted: \{parameter name: mask\}, with a bool tensor"),
        (Odd(lambda masks: list(masks.values())), "it returns a list; wanted"),
        (Odd(lambda masks: {}), r"it returns no mask for '0\.weight'; wanted"),
        (Odd(lambda masks: masks | {"other": torch.ones(1)}), "it returns a mask for 'other'; wanted"),
        (
            Odd(lambda masks: {name: mask.float() for name, mask in masks.items()}),
            r"type torch\.float32 for 0\.weight; ",
        ),
        (
            Odd(lambda masks: {name: mask.numpy() for name, mask in masks.items()}),
            r"type ndarray for 0\.weight; wanted",
        ),
        (
            Odd(lambda masks: {name: mask[0] for name, mask in masks.items()}),
            r"shape \[1, 5, 5\] for 0\.weight; wanted",
        ),
    ],
)
def test_a_selection_that_gives_no_masks_is_one_line(selection, message, choose, forget):
    register("selection", "odd_for_test")(selection)
    with pytest.raises(SettingError, match=rf"^selection: 'odd_for_test' is not allowed: .*{message}") as error:
        choose(selection="odd_for_test")
    assert "\n" not in str(error.value)
