"""Test that everything with a name runs with everything else, in tiny runs from the first pruning to the files."""

import itertools
from dataclasses import replace

import pytest
from conftest import read_csv, toy_files, write_folder

from anytime_pruning import run_stream
from anytime_pruning.foundation.registry import _registered, names
from anytime_pruning.models import resnet_cifar, torchvision_nets
from anytime_pruning.pruning.protocols import make_protocol
from anytime_pruning.pruning.pruners import synflow
from anytime_pruning.pruning.schedules import make_schedule

METHODS, PRUNERS, REPLAYS = names("method"), names("pruner"), names("replay")
PRUNED = [method for method in METHODS if make_schedule(method).prunes]
UNPRUNED = [method for method in METHODS if not make_schedule(method).prunes]
# These have more blocks in a stage than another network that is like them otherwise.
DEEPER = ("resnet44", "resnet56", "resnet34", "resnet34_imagenet_stem")
DEEPER += ("resnet101", "resnet101_imagenet_stem", "wide_resnet101_2", "wide_resnet101_2_imagenet_stem")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Write forty training images and four test images of two classes."""
    return write_folder(toy_files(20, 2, 12), tmp_path_factory.mktemp("images"))


def shallow(n_classes, image_shape, channels=int):
    """Build the smallest of the residual networks for CIFAR, with one block in each stage."""
    return resnet_cifar.CifarResNet(1, n_classes, image_shape[0], channels)


def narrow(builder):
    """Return a builder of a network with an eighth of the channels."""
    return lambda n_classes, image_shape, channels=int: builder(
        n_classes, image_shape, channels=lambda number: channels(number // 8)
    )


@pytest.fixture
def run_tiny(images, tiny, tmp_path, monkeypatch):
    """Return a function for one run with two megabatches of twenty images.

    To save time, SynFlow prunes in two rounds, residual networks have one block in each stage, and those of torchvision
    are narrow.
    """
    monkeypatch.setattr(synflow.score_synflow, "rounds", 2)
    for name, (block, _, width) in list(torchvision_nets.RESNETS.items()):
        monkeypatch.setitem(torchvision_nets.RESNETS, name, (block, (1, 1, 1, 1), width))
    for name, registration in list(_registered["model"].items()):
        small = {resnet_cifar.__name__: shallow, torchvision_nets.__name__: narrow(registration.thing)}
        if registration.module in small:
            monkeypatch.setitem(_registered["model"], name, replace(registration, thing=small[registration.module]))

    def run(**changes):
        folder = tmp_path / "-".join(map(str, changes.values()))
        # The ImageNet stem would reduce a side of eight pixels to one pixel.
        side = 32 if changes["model"].endswith("imagenet_stem") else 8
        dataset = {"name": "toy", "source": "image_folder", "path": str(images), "image_size": side}
        size = {"n_megabatches": 2, "train_limit": None, "epochs": 1, "lr": 1e-3, "sample_frac": 1, "buffer_size": 5}
        metrics = run_stream(tiny(dataset=dataset, **size, **changes), folder)
        rows = read_csv(folder / "megabatches.csv")
        assert len(rows) == 2
        for row in rows:
            # About one in ten million normal random numbers is exactly zero, so some weights may start as zeros.
            total = int(row["prunable_count"])
            assert abs(int(row["kept_count"]) - float(row["density_asked"]) * total) <= 1 + 1e-6 * total
        return metrics

    return run


@pytest.mark.parametrize("pruner", PRUNERS)
@pytest.mark.long(100)
def test_every_pruner_with_every_replay_policy_and_method(pruner, run_tiny):
    for replay, method in itertools.product(REPLAYS, PRUNED):
        run_tiny(model="resnet20", pruner=pruner, replay=replay, method=method)


def allowed_replays(method):
    """Return the replay policies that a method allows: one that trains once sees all images."""
    return ["full"] if make_schedule(method).trains_once else REPLAYS


@pytest.mark.parametrize("method", UNPRUNED)
def test_every_method_that_never_prunes_with_every_replay_policy(method, run_tiny):
    for replay in allowed_replays(method):
        run_tiny(model="resnet20", replay=replay, method=method)


@pytest.mark.parametrize("model", names("model"))
def test_every_network_with_every_pruner_every_replay_policy_and_every_method(model, run_tiny):
    """Combine names in pairs, because the product of all four kinds would be a thousand runs.

    Networks that differ in depth alone become equal here, so one of them meets all pruners and methods, and each of the
    others meets the next in turn.
    """
    place = names("model").index(model)
    replays, methods = itertools.cycle(REPLAYS[place % len(REPLAYS) :] + REPLAYS), itertools.cycle(PRUNED)
    assert set(DEEPER) < set(names("model"))
    is_deeper = model in DEEPER
    for pruner in [PRUNERS[place % len(PRUNERS)]] if is_deeper else PRUNERS:
        run_tiny(model=model, pruner=pruner, replay=next(replays), method=next(methods))
    for method in [UNPRUNED[place % len(UNPRUNED)]] if is_deeper else UNPRUNED:
        replay = next(replays)
        run_tiny(model=model, replay=replay if replay in allowed_replays(method) else "full", method=method)


@pytest.mark.parametrize("method", make_protocol("released").allowed["method"])
def test_the_released_protocol_runs_with_every_method_that_it_has(method, tiny, tmp_path):
    metrics = run_stream(tiny(protocol="released", method=method, epochs=1), tmp_path)
    expected = {"app": 0.17, "osp": 0.366, "dense": 1}
    assert metrics["final"]["density"] == pytest.approx(expected[method], abs=0.06)
