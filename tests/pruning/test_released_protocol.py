"""Test how a run prunes by the rules of the published code, from the sample to the masks.

The numbers in the names of tests are those of the points in `pruning/protocols/released.py`.
"""

import itertools

import pytest
import torch
from torch import nn

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.metrics import averaged_accuracy_pct
from anytime_pruning.foundation.registry import _registered, names
from anytime_pruning.machine.randomness import make_generator
from anytime_pruning.pruning import mask_chooser
from anytime_pruning.pruning.enforcement import apply_masks
from anytime_pruning.pruning.mask_chooser import MaskChooser
from anytime_pruning.pruning.protocols import PruningStep, make_protocol
from anytime_pruning.runs.parts import scoring_options
from anytime_pruning.runs.rates import learning_rate
from anytime_pruning.runs.stream_plan import check_single_samples, draw_sample, plan_stream, replay_parts
from anytime_pruning.settings.run import parse_settings
from anytime_pruning.stream.batching import batch_bounds
from anytime_pruning.stream.images import ImageSet
from anytime_pruning.stream.megabatches import split_stream

RELEASED = make_protocol("released")
STREAM = split_stream(300, 3, 0.1, make_generator(0, "stream"))  # Each megabatch has 90 + 10 images.
N_WEIGHTS = 1000


def build():
    """Build a network with one convolution of 1000 weights, beside batch norm, biases and a classifier."""
    model = nn.Sequential(nn.Conv2d(1, 40, 5), nn.BatchNorm2d(40), nn.Flatten(), nn.Linear(640, 4))
    with torch.no_grad():
        model[0].weight.copy_(torch.randn(40, 1, 5, 5, generator=torch.Generator().manual_seed(0)))
    return model


class Squeeze(nn.Module):
    """Loses the dimension of the images where there is one image."""

    def forward(self, x):
        return x.squeeze()


@pytest.fixture
def setting(tiny):
    def make(**changes):
        base = {"precision": "float32", "pruner": "magnitude", "n_megabatches": 8, "protocol": "released"}
        return parse_settings(tiny(**base | changes))

    return make


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (300, 1, 8, 8), generator=generator, dtype=torch.uint8)
    return ImageSet(pixels, torch.arange(300) % 4, crop_padding=1, flip=True)


@pytest.fixture
def scored(monkeypatch):
    """Record what is scored: the state of the network, the masks in force, the batches and the autocast state."""
    seen = []
    score = mask_chooser.score_all_weights

    def watched(network, masks, batches, *others):
        batches = list(batches)
        state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        seen.append((state, dict(masks), batches, torch.is_autocast_enabled("cpu")))
        return score(network, masks, batches, *others)

    monkeypatch.setattr(mask_chooser, "score_all_weights", watched)
    return seen


def run_masks(model, settings, images, count=20, before_each=lambda t: None):
    """Return the masks at each megabatch of a stream without training in between."""
    chooser, masks, seen = MaskChooser(model, images, scoring_options(settings)), {}, []
    for t, prunes in enumerate(settings.prunes_at(), start=1):
        before_each(t)
        if prunes:
            masks = RELEASED.choose_masks(chooser, masks, settings.pruning_step(t), torch.arange(count))
            apply_masks(model, masks)
        seen.append(masks["0.weight"])
    return seen


def share(mask):
    return int(mask.sum()) / mask.numel()


def test_1_app_prunes_at_every_megabatch(setting, images, scored):
    """Check with tau = 1, where the level never grows: the density 0.8 is selected again and again."""
    settings = setting(tau=1)
    assert settings.prunes_at() == [True] * 8
    seen = run_masks(build(), settings, images)
    assert len(scored) == 8
    assert [share(mask) for mask in seen] == pytest.approx([0.8**t for t in range(1, 9)], abs=0.04)
    assert setting(tau=1, protocol="paper").prunes_at() == [True] + [False] * 7


def test_1_local_scope_selects_by_the_final_density_each_time(setting, images):
    seen = run_masks(build(), setting(scope="local"), images)
    assert share(seen[0]) == 0.367  # N - int((1 - 0.8 ** 4.5) * N) = 1000 - int(633.6)
    assert [share(mask) for mask in seen[1:3]] == pytest.approx([0.134, 0.049], abs=0.02)
    single = setting(scope="local", n_megabatches=1)
    assert share(run_masks(build(), single, images)[0]) == 0.367


def test_2_the_initial_network_is_scored_first_without_masks(setting, images, scored):
    model = build()
    first = model[0].weight.detach().clone()
    run_masks(model, setting(), images)
    state, masks, *_ = scored[0]
    assert torch.equal(state["0.weight"], first)
    assert masks == {}


def test_3_4_5_13_fresh_convolutions_beside_what_was_trained(setting, images, scored):
    model = build()
    first = model[0].weight.detach().clone()

    def train(t):
        with torch.no_grad():
            model[0].bias.fill_(t)
            model[1].weight.fill_(t)
            model[1].running_mean.fill_(t)
            model[3].bias.fill_(t)

    seen = run_masks(model, setting(), images, before_each=train)
    assert len(scored) == 8
    for t in range(2, 9):
        state, masks, *_ = scored[t - 1]
        drawn = state["0.weight"]
        assert not torch.equal(drawn, scored[t - 2][0]["0.weight"])
        assert drawn.abs().max() <= 0.2  # 1 / sqrt(25), far below the normal draws of the network itself
        assert drawn.count_nonzero() == N_WEIGHTS  # Pruned weights compete again.
        assert torch.equal(masks["0.weight"], seen[t - 2])
        for name in ("0.bias", "1.weight", "1.running_mean", "3.bias"):
            assert (state[name] == t).all()
    kept = model[0].weight != 0
    assert torch.equal(kept, seen[-1])
    assert torch.equal(model[0].weight[kept], first[kept])


def test_6_the_sample_is_a_share_of_the_whole_megabatch(setting):
    """Check that a fifth of 100 images are taken, not a fifth of the 90 training images."""
    for replay, start in (("full", 0), ("previous", 1), ("none", 2)):
        settings = setting(replay=replay, n_megabatches=3)
        train, _ = replay_parts(settings, STREAM)
        sample = draw_sample(settings, STREAM, train)
        assert torch.equal(sample, STREAM[start].train[:20])
    settings = setting(prune_on="megabatch", n_megabatches=3)
    train, _ = replay_parts(settings, STREAM)
    assert torch.equal(draw_sample(settings, STREAM, train), STREAM[2].train[:20])


def test_6_the_samples_of_cifar_have_1250_images(setting):
    plan = plan_stream(setting(train_limit=None), 50_000)
    assert {len(megabatch.sample) for megabatch in plan} == {1250}
    assert all(torch.equal(megabatch.sample, plan[0].train[:1250]) for megabatch in plan)


def test_7_scored_images_are_augmented_anew_in_batches_of_100(setting, images, scored):
    run_masks(build(), setting(pruner="snip", batch_size=7), images, count=201)
    for _, _, batches, _ in scored:
        assert [len(labels) for _, labels in batches] == [100, 100, 1]
        assert torch.equal(torch.cat([labels for _, labels in batches]), images.labels[:201])
    pixels = [torch.cat([batch for batch, _ in batches]) for _, _, batches, _ in scored]
    plain = images.images[:201].float() / 255
    assert all(not torch.equal(one, other) for one, other in itertools.combinations([plain, *pixels], 2))


def test_7_images_are_scored_as_they_are_without_augmentation(setting, images, scored):
    run_masks(build(), setting(augment=False, n_megabatches=2), images)
    assert all(torch.equal(batches[0][0], images.images[:20].float() / 255) for _, _, batches, _ in scored)


def test_8_scores_are_computed_in_float32(setting, images, scored):
    run_masks(build(), setting(pruner="snip", precision="bfloat16", n_megabatches=2), images)
    assert [is_autocast for *_, is_autocast in scored] == [False, False]


def test_12_densities_multiply_and_nothing_returns(setting, images):
    settings = setting()
    seen = run_masks(build(), settings, images)
    expected = torch.tensor(settings.densities()).cumprod(0)
    assert [share(mask) for mask in seen] == pytest.approx(expected.tolist(), abs=0.03)
    assert share(seen[-1]) < 0.03
    assert all(not (after & ~before).any() for before, after in itertools.pairwise(seen))


def test_19_one_shot_pruning_happens_once(setting, images, scored):
    settings = setting(method="osp")
    assert settings.prunes_at() == [True] + [False] * 7
    seen = run_masks(build(), settings, images)
    assert len(scored) == 1
    assert [int(mask.sum()) for mask in seen] == [367] * 8


def test_the_dense_network_is_never_pruned(setting):
    assert setting(method="dense").prunes_at() == [False] * 8


def test_14_later_megabatches_start_at_a_literal_tenth(setting):
    rate = learning_rate(setting(lr=0.03, lr_milestones=[1]))
    assert [rate.at_megabatch(t).of_epoch(epoch) for t in (1, 2, 3) for epoch in (1, 2)] == pytest.approx(
        [0.03, 0.003, 0.1, 0.01, 0.1, 0.01]
    )
    paper = learning_rate(setting(lr=0.03, lr_milestones=[1], protocol="paper"))
    assert [paper.at_megabatch(t).of_epoch(1) for t in (1, 2, 3)] == [0.03] * 3


def test_15_equal_counts_give_unequal_averages():
    """Check float32 percentages by hand: 1 / 3 of 100 is 33.333332 and 2 / 3 is 66.666664 in float32."""
    assert averaged_accuracy_pct([1], [3]) == pytest.approx(33.33333206, abs=1e-8)
    assert averaged_accuracy_pct([2], [3]) == pytest.approx(66.66666412, abs=1e-8)
    sizes = [64] * 9 + [49]
    generator = torch.Generator().manual_seed(0)
    averages = []
    for _ in range(300):
        is_correct = torch.randperm(625, generator=generator) < 400
        counts = [int(part.sum()) for part in is_correct.split(64)]
        averages.append(averaged_accuracy_pct(counts, sizes))
    assert averages == pytest.approx([64.0] * 300, abs=1e-4)
    unequal = sum(one != other for one, other in itertools.pairwise(averages))
    assert unequal > 250


def test_18_a_single_last_sample_is_a_batch_of_its_own():
    assert batch_bounds(129, 64, keeps_single_sample=True) == [(0, 64), (64, 128), (128, 129)]
    assert batch_bounds(129, 64) == [(0, 64), (64, 129)]


@pytest.mark.parametrize(
    ("changes", "n_images", "message"),
    [
        (
            {"batch_size": 89},
            100,
            "batch_size: 89 is not allowed with protocol released: megabatch 1 leaves a last batch",
        ),
        ({"sample_frac": 0.101}, 1000, "sample_frac: 0.101 is not allowed with protocol released: megabatch 1 leaves"),
    ],
)
def test_18_a_network_that_cannot_train_on_a_single_image_is_named(changes, n_images, message, setting, images):
    settings = setting(n_megabatches=1, train_limit=None, **changes)
    plan = plan_stream(settings, n_images)
    narrow = nn.Sequential(nn.Conv2d(1, 4, 8), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 4))
    for network in (narrow, nn.Sequential(build(), Squeeze()), nn.Sequential(build(), Squeeze(), nn.Softmax(1))):
        with pytest.raises(SettingError, match=message):
            check_single_samples(settings, plan, network, images.images)
    check_single_samples(settings, plan, build(), images.images)
    check_single_samples(setting(protocol="paper", n_megabatches=1, **changes), plan, narrow, images.images)


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("pruner", "synflow", "snip, magnitude, random"),
        ("pruner", "grasp", "snip, magnitude, random"),
        *(("method", name, "app, osp, dense") for name in names("method") if name not in ("app", "osp", "dense")),
        ("method", "own_for_test", "app, osp, dense"),
        ("replay", "buffer", "full, none, previous"),
        ("replay", "own_for_test", "full, none, previous"),
        ("warmup_epochs", 1, "0"),
        ("initial_mask", {"path": "x.safetensors", "sha256": "0" * 64}, "None"),
    ],
)
def test_what_the_published_code_does_not_have_is_refused(key, value, allowed, setting, monkeypatch):
    monkeypatch.setitem(_registered["method"], "own_for_test", _registered["method"]["app"])
    with pytest.raises(SettingError, match=f"{key}: .* is not allowed with protocol released; allowed: {allowed}$"):
        setting(**{key: value})
    setting(protocol="paper", **{key: value})


def test_14_warm_up_is_refused_without_pruning_too(setting):
    with pytest.raises(SettingError, match="warmup_epochs: 2 is not allowed with protocol released; allowed: 0"):
        setting(method="dense", warmup_epochs=2)


def test_the_most_weights_that_a_selection_may_keep():
    step = PruningStep(t=2, density=0.8, final_density=0.5, scope="global")
    assert RELEASED.expected_kept(step, [10, 7]) == (0, 14)  # 17 - int(3.4)
    local = PruningStep(t=2, density=0.8, final_density=0.5, scope="local")
    assert RELEASED.expected_kept(local, [10, 7]) == (0, 9)  # 5 + 4
    assert RELEASED.expected_kept(local, [7, 7]) == (0, 8)  # 4 + 4, where 14 - int(7.0) is 7
