"""Test how each megabatch after the first starts."""

import math
from functools import partial

import pytest
import torch
from torch import nn

from anytime_pruning import register, run_stream
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.machine.randomness import derive_seed, make_generator
from anytime_pruning.models import build_model
from anytime_pruning.models.state import copy_state
from anytime_pruning.orchestration.checks import check_runs
from anytime_pruning.runs.megabatch.preparation import Preparation
from anytime_pruning.runs.starts import StartContext, dash
from anytime_pruning.settings.run import parse_settings
from anytime_pruning.training.trainer import Trainer
from anytime_pruning.verification.stored import verify

STARTS = {
    "warm": {},
    "reset": {"start_momentum": "reset"},
    "cold": {"start": "cold"},
    "rewind": {"start": "rewind"},
    "rewind to an epoch": {"start": "rewind", "rewind_epoch": 1},
    "shrink_perturb": {"start": "shrink_perturb", "shrink": 0.5, "perturb": 0.1},
    "dash": {"start": "dash", "shrink": 0.3},
}


@pytest.fixture
def tiny(tiny, small):
    """Return a function that makes the settings of a tiny run of a small network."""
    return partial(tiny, model=small)


class Moments:
    """Holds copies of the network and the momentum around every start and training of a run."""

    def __init__(self, monkeypatch):
        self.ended, self.started, self.velocities, self.masks, self.origin = [], [], [], [], []
        train, start = Trainer.train_megabatch, Preparation._start_again

        def watched_start(preparation, megabatch):
            state = preparation._state
            start(preparation, megabatch)
            self.started.append(copy_state(state.trainer.model))
            self.velocities.append([velocity.clone() for velocity in state.trainer.optimizer.velocities])
            self.masks.append(dict(state.masks))
            self.origin.append(dict(state.origin))

        def watched_train(trainer, *given):
            found = train(trainer, *given)
            self.ended.append(copy_state(trainer.model))
            self.moving = [velocity.clone() for velocity in trainer.optimizer.velocities]
            return found

        monkeypatch.setattr(Preparation, "_start_again", watched_start)
        monkeypatch.setattr(Trainer, "train_megabatch", watched_train)


@pytest.fixture
def moments(monkeypatch):
    return Moments(monkeypatch)


@pytest.mark.parametrize("changes", STARTS.values(), ids=STARTS)
def test_masks_stay_and_results_verify(changes, tiny, tmp_path, moments):
    run_stream(tiny(**changes), tmp_path / "run")
    assert len(moments.started) == 2  # the first megabatch starts with the initial weights
    for state, masks in zip(moments.started, moments.masks):
        assert masks
        for name, mask in masks.items():
            assert not state[name][~mask].any(), name
            assert state[name][mask].count_nonzero() > 0.9 * mask.sum(), name
    *_, done = verify([tmp_path / "run"])
    assert done.problems == []
    assert done.counts["tested again"] == 1


def test_warm_changes_nothing(tiny, tmp_path, moments):
    run_stream(tiny(), tmp_path)
    for before, after in zip(moments.ended, moments.started):
        assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(velocity.any() for velocity in moments.velocities[0])


def test_momentum_is_reset_without_a_change_of_weights(tiny, tmp_path, moments):
    run_stream(tiny(start_momentum="reset"), tmp_path)
    assert all(torch.equal(moments.ended[0][name], moments.started[0][name]) for name in moments.ended[0])
    assert not any(velocity.any() for velocity in moments.velocities[0] + moments.velocities[1])


def test_cold_draws_other_weights_each_time(tiny, tmp_path, moments):
    run_stream(tiny(start="cold", method="dense"), tmp_path)
    name = "network.blocks.0.conv1.weight"
    states = [*moments.ended, *moments.started]
    assert all(not torch.equal(one[name], other[name]) for i, one in enumerate(states) for other in states[:i])
    for state in moments.started:
        assert state[name].std() == pytest.approx(math.sqrt(2 / (9 * 8)), rel=0.1)  # He's initialisation
        assert not state["network.bn1.running_mean"].any()
    assert not any(velocity.any() for velocity in moments.velocities[0])


def test_rewind_goes_back_to_the_named_moment(tiny, tmp_path, moments):
    settings = tiny(start="rewind", n_megabatches=2)
    run_stream(settings, tmp_path / "0")
    initial = build_model("small", 10, (1, 8, 8), seed=derive_seed(0, "initial weights")).state_dict()
    masks = moments.masks[0]
    for name, value in moments.started[0].items():
        kept = masks.get(name, torch.ones_like(value, dtype=torch.bool))
        assert torch.equal(value[kept], initial[name][kept]), name
    assert not any(velocity.any() for velocity in moments.velocities[0])


def test_rewind_to_an_epoch_takes_the_weights_at_its_end(tiny, tmp_path, moments, monkeypatch):
    ends, epoch_done = {}, Preparation.epoch_done

    def watched(preparation, epoch):
        ends[epoch.t, epoch.epoch] = copy_state(preparation._state.trainer.model)
        epoch_done(preparation, epoch)

    monkeypatch.setattr(Preparation, "epoch_done", watched)
    run_stream(tiny(start="rewind", rewind_epoch=1, method="dense"), tmp_path)
    for state in moments.started:
        assert all(torch.equal(state[name], value) for name, value in ends[1, 1].items())
    name = "network.fc.weight"
    assert not torch.equal(ends[1, 1][name], ends[1, 2][name])
    assert not torch.equal(ends[2, 1][name], ends[3, 1][name])  # each megabatch trains on other images from there


def test_shrink_perturb_scales_and_adds_noise_of_the_given_width(tiny, tmp_path, moments):
    run_stream(tiny(start="shrink_perturb", shrink=0.5, perturb=0.1, method="dense"), tmp_path)
    before, after = moments.ended[0], moments.started[0]
    noise = torch.cat([(after[n] - before[n] / 2).flatten() for n in before if n.endswith("weight")])
    assert noise.std() == pytest.approx(0.1, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=1e-3)
    assert torch.equal(before["network.bn1.running_var"], after["network.bn1.running_var"])
    assert all(velocity.any() for velocity in moments.velocities[0])


def test_dash_shrinks_by_the_cosine_with_the_negative_gradient(tiny, make_trainer):
    """Compute two batches by hand: their moving average, and the cosine of each pair of channels."""
    trainer = make_trainer(batch_size=16, augment=False)
    model, train = trainer.model, torch.arange(32)
    name, linear = "network.blocks.0.conv1.weight", "network.fc.weight"
    mask = torch.rand(dict(model.named_parameters())[name].shape, generator=torch.Generator().manual_seed(3)) < 0.5
    with torch.no_grad():
        dict(model.named_parameters())[name].mul_(mask)
    before = copy_state(model)
    context = StartContext(
        2,
        trainer,
        {name: mask},
        None,
        make_generator(0, "start 2"),
        parse_settings(tiny(shrink=0.2, start="dash")),
        train,
        {},
    )
    order = train[torch.randperm(32, generator=make_generator(0, "start 2"))]
    parameters, average = dict(model.named_parameters()), {name: 0.0, linear: 0.0}
    model.train()
    for part in order.split(16):
        images, labels = trainer.data.take(part)
        loss = nn.functional.cross_entropy(model(images), labels)
        found = torch.autograd.grad(loss, [parameters[key] for key in average])
        average = {key: 0.7 * old - 0.3 * new for (key, old), new in zip(average.items(), found)}
    model.load_state_dict(before)
    dash.start_dash(context)
    after = copy_state(model)
    direction = (average[name] * mask).flatten(2)
    cosine = nn.functional.cosine_similarity(before[name].flatten(2), direction, dim=2).clamp(0.2, 1)
    torch.testing.assert_close(after[name], before[name] * cosine[:, :, None, None], rtol=1e-4, atol=1e-6)
    cosine = nn.functional.cosine_similarity(before[linear], average[linear], dim=1).clamp(0.2, 1)
    torch.testing.assert_close(after[linear], before[linear] * cosine[:, None], rtol=1e-4, atol=1e-6)
    assert (after[name] != before[name]).any()
    assert torch.equal(after["network.bn1.weight"], before["network.bn1.weight"])
    assert torch.equal(after["network.bn1.running_mean"], before["network.bn1.running_mean"])


def replace_head(context):
    for layer in context.trainer.model.modules():
        if isinstance(layer, nn.Linear):
            layer.weight = nn.Parameter(layer.weight.detach() / 2)


@pytest.mark.parametrize(
    "start",
    [
        replace_head,
        lambda context: context.trainer.model.double(),
        lambda context: setattr(next(context.trainer.model.parameters()), "data", torch.zeros(16, 1, 3, 3)),
    ],
)
def test_a_start_that_replaces_parameters_is_one_line(start, forget, tiny, tmp_path):
    register("start", "replaces_for_test")(start)
    with pytest.raises(
        SettingError, match=r"^start: 'replaces_for_test' is not allowed: it replaces a parameter"
    ) as error:
        run_stream(tiny(start="replaces_for_test"), tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("start", ["cold", "shrink_perturb", "dash"])
def test_draws_follow_the_seed(start, tiny, tmp_path, moments):
    for name, seed in (("one", 0), ("again", 0), ("other", 1)):
        run_stream(tiny(start=start, seed=seed, n_megabatches=2), tmp_path / name)
    one, again, other = (state["network.fc.weight"] for state in moments.started)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": "lukewarm"}, "start: 'lukewarm' is not known; allowed: cold, dash, rewind, shrink_perturb, warm"),
        ({"shrink": 1.5}, "shrink: 1.5 is not allowed"),
        ({"start_momentum": "half"}, "start_momentum: 'half' is not allowed"),
        (
            {"protocol": "released", "start": "cold"},
            "start: 'cold' is not allowed with protocol released; allowed: warm",
        ),
        ({"protocol": "released", "start_momentum": "reset"}, "start_momentum: 'reset' is not allowed with protocol"),
    ],
    ids=str,
)
def test_combinations_without_meaning_are_named(changes, message):
    base = {"dataset": "digits", "model": "resnet20"}
    with pytest.raises(SettingError) as caught:
        check_runs([parse_settings(base | changes)])
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
