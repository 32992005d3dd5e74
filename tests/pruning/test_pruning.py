"""Test the steps before training on a megabatch by the rules of the paper: drawing pi_t, and pruning in rounds."""

import pytest
import torch
from torch import nn

from anytime_pruning.foundation.registry import register
from anytime_pruning.machine.randomness import make_generator
from anytime_pruning.pruning.enforcement import apply_masks
from anytime_pruning.pruning.mask_chooser import MaskChooser
from anytime_pruning.pruning.protocols import PruningStep, make_protocol
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.runs.parts import scoring_options
from anytime_pruning.runs.stream_plan import draw_sample
from anytime_pruning.settings.run import parse_settings
from anytime_pruning.stream.images import ImageSet
from anytime_pruning.stream.megabatches import split_stream
from anytime_pruning.stream.sample import SampleDraw

STREAM = split_stream(300, 3, 0.1, make_generator(0, "stream"))  # Each megabatch has 90 training images.
N_WEIGHTS = 1000


def build(seed):
    """Build a network with one convolution of 1000 weights, whose values depend on the seed."""
    model = nn.Sequential(nn.Conv2d(1, 40, 5, bias=False), nn.BatchNorm2d(40), nn.Flatten(), nn.Linear(640, 4))
    with torch.no_grad():
        model[0].weight.copy_(torch.randn(40, 1, 5, 5, generator=torch.Generator().manual_seed(seed)))
    return model


@pytest.fixture
def setting(tiny):
    def make(**changes):
        return parse_settings(tiny(precision="float32", pruner="magnitude", n_megabatches=8, **changes))

    return make


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    return ImageSet(
        torch.randint(0, 256, (300, 1, 8, 8), generator=generator, dtype=torch.uint8),
        torch.arange(300) % 4,
    )


def prune(model, masks, density, images, settings, t=1):
    """Prune the network as the loop does, and return the masks."""
    chooser = MaskChooser(model, images, scoring_options(settings))
    step = PruningStep(t, density, 0.8**4.5, settings.scope)
    masks = make_protocol(settings.protocol).choose_masks(chooser, masks, step, torch.arange(20))
    apply_masks(model, masks)
    return masks


def share(mask):
    return int(mask.sum()) / mask.numel()


def test_the_papers_sample_is_drawn_from_all_that_is_replayed(setting):
    replayed = torch.cat([m.train for m in STREAM])
    sample = draw_sample(setting(), STREAM, replayed)
    assert torch.equal(sample, SampleDraw(0.2, make_generator(0, "pruning sample 3")).at_random(replayed))
    assert len(sample) == 54
    assert all(set(sample.tolist()) & set(m.train.tolist()) for m in STREAM)


def test_a_sample_of_the_megabatch_alone(setting):
    replayed = torch.cat([m.train for m in STREAM])
    sample = draw_sample(setting(prune_on="megabatch"), STREAM, replayed)
    assert len(sample) == 18
    assert set(sample.tolist()) <= set(STREAM[-1].train.tolist())


def test_the_paper_prunes_trained_weights_to_the_scheduled_density(setting, images):
    model, masks, counts = build(0), {}, []
    for t, density in enumerate(setting().densities(), start=1):
        masks = prune(model, masks, density, images, setting(), t)
        counts.append(int(masks["0.weight"].sum()))
    assert counts == [round(N_WEIGHTS * 0.8**level) for level in (1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5)]
    assert torch.equal(model[0].weight != 0, masks["0.weight"])


def test_a_pruner_of_several_rounds_sees_its_own_pruning(setting, images, forget, monkeypatch):
    """Check that round k of three selects density (d / d0) ** (k / 3) of d0, on what the round before left."""
    seen = []

    @register("pruner", "in_rounds")
    def score_in_rounds(model, batches, generator):
        weights = prunable_weights(model)
        seen.append(sum(int(weight.count_nonzero()) for weight in weights.values()))
        return {name: weight.detach().abs() for name, weight in weights.items()}

    score_in_rounds.rounds = 3
    settings = setting().model_copy(update={"pruner": "in_rounds"})
    model = build(0)
    masks = prune(model, {}, 0.512, images, settings)
    assert seen == [1000, 800, 640]
    assert share(masks["0.weight"]) == 0.512
    seen.clear()
    prune(model, masks, 0.064, images, settings, 2)
    assert seen == [512, 256, 128]


def test_the_network_is_left_alone_where_it_is_sparse_enough(setting, images):
    model = build(0)
    masks = prune(model, {}, 0.3, images, setting())
    assert prune(model, masks, 0.3, images, setting(), 2) is masks
    assert prune(build(0), {}, 1.0, images, setting()) == {}


def test_each_megabatch_has_its_own_draws(setting, images):
    settings = setting().model_copy(update={"pruner": "random"})
    first, again, later = (prune(build(0), {}, 0.5, images, settings, t)["0.weight"] for t in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, later)
