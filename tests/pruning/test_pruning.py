"""Test the steps before training on a megabatch: drawing pi_t, rounds, and the mask arithmetic of both protocols."""

import copy
import itertools

import pytest
import torch
from torch import nn

from anytime_pruning.foundation.registry import register
from anytime_pruning.machine.randomness import make_generator
from anytime_pruning.pruning import mask_chooser
from anytime_pruning.pruning.enforcement import apply_masks
from anytime_pruning.pruning.mask_chooser import MaskChooser
from anytime_pruning.pruning.protocols import make_protocol
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


def prune(model, masks, densities, images, settings, t):
    """Prune the network as the loop does, and return the masks."""
    chooser = MaskChooser(model, images, scoring_options(settings), build)
    masks = make_protocol(settings.protocol).choose_masks(chooser, masks, densities, t, torch.arange(20))
    apply_masks(model, masks)
    return masks


def run_masks(model, settings, images, before_each=lambda t: None):
    """Return the masks at each megabatch of a stream without training in between."""
    masks, seen = {}, []
    for t in range(1, settings.n_megabatches + 1):
        before_each(t)
        masks = prune(model, masks, settings.densities(), images, settings, t)
        seen.append(masks["0.weight"] if masks else torch.ones(40, 1, 5, 5, dtype=torch.bool))
    return seen


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


def test_the_released_sample_is_always_the_first_of_the_stream(setting):
    settings = setting(protocol="released")
    samples = [draw_sample(settings, STREAM[:t], torch.arange(9)) for t in (1, 2, 3)]
    assert all(torch.equal(sample, STREAM[0].train[:18]) for sample in samples)


def test_the_paper_prunes_trained_weights_to_the_scheduled_density(setting, images):
    model = build(0)
    seen = run_masks(model, setting(), images)
    assert [int(mask.sum()) for mask in seen] == [
        round(N_WEIGHTS * 0.8**level) for level in (1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5)
    ]
    assert torch.equal(model[0].weight != 0, seen[-1])


def test_the_released_code_ends_far_below_the_asked_density(setting, images):
    """Check that densities multiply, because fresh weights compete for the whole quota and masks are intersected."""
    settings = setting(protocol="released")
    model = build(0)
    seen = run_masks(model, settings, images)
    expected = torch.tensor(settings.densities()).cumprod(0)
    assert [share(mask) for mask in seen] == pytest.approx(expected.tolist(), abs=0.03)
    assert share(seen[-1]) < 0.03
    assert torch.equal(model[0].weight != 0, seen[-1])
    assert all(not (after & ~before).any() for before, after in itertools.pairwise(seen))


def test_the_released_code_scores_weights_initialised_afresh_beside_what_was_trained(setting, images, monkeypatch):
    scored = []
    score = mask_chooser.score

    def watched(model, *args):
        scored.append(copy.deepcopy(model.state_dict()))
        return score(model, *args)

    monkeypatch.setattr(mask_chooser, "score", watched)
    model = build(0)
    first = model[0].weight.detach().clone()

    def train(t):
        with torch.no_grad():
            model[1].weight.fill_(t)
            model[3].bias.fill_(t)

    run_masks(model, setting(protocol="released"), images, before_each=train)
    assert len(scored) == 8
    assert torch.equal(scored[0]["0.weight"], first)
    drawn = [state["0.weight"] for state in scored]
    for t in range(2, 9):
        assert not torch.equal(drawn[t - 1], drawn[t - 2])  # The weights are drawn anew each time.
        assert drawn[t - 1].count_nonzero() == N_WEIGHTS  # Pruned weights compete again.
        assert (scored[t - 1]["1.weight"] == t).all()
        assert (scored[t - 1]["3.bias"] == t).all()
    # The network itself goes on with its own weights, of which fewer remain.
    kept = model[0].weight != 0
    assert torch.equal(model[0].weight[kept], first[kept])


def test_released_one_shot_pruning_stays_at_the_final_density(setting, images):
    seen = run_masks(build(0), setting(protocol="released", method="osp"), images)
    assert [int(mask.sum()) for mask in seen] == [round(N_WEIGHTS * 0.8**4.5)] * 8


def test_released_local_scope_asks_for_the_final_density_each_time(setting, images):
    seen = run_masks(build(0), setting(protocol="released", scope="local"), images)
    assert [share(mask) for mask in seen[:3]] == pytest.approx([0.366, 0.134, 0.049], abs=0.02)


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
    masks = prune(model, {}, [0.512], images, settings, 1)
    assert seen == [1000, 800, 640]
    assert share(masks["0.weight"]) == 0.512
    seen.clear()
    prune(model, masks, [0.512, 0.064], images, settings, 2)
    assert seen == [512, 256, 128]


def test_the_network_is_left_alone_where_it_is_sparse_enough(setting, images):
    model = build(0)
    masks = prune(model, {}, [0.3], images, setting(), 1)
    assert prune(model, masks, [0.3, 0.3], images, setting(), 2) is masks
    assert prune(build(0), {}, [1.0], images, setting(), 1) == {}
