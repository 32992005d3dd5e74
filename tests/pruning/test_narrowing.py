"""Test small dense networks: their number of parameters, their form, and what has no width."""

import pytest
import torch
from torch import nn

from anytime_pruning import build_model, register, run_stream
from anytime_pruning.export.network import load_network
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.models import Architecture
from anytime_pruning.orchestration.checks import check_runs
from anytime_pruning.pruning.narrowing import architecture_of
from anytime_pruning.pruning.prunable import count_prunable, set_prunable
from anytime_pruning.settings.run import parse_settings
from anytime_pruning.verification.stored import verify

SHAPE = (3, 32, 32)


def build(name, n_classes=10, shape=SHAPE, **changes):
    settings = parse_settings({"dataset": "cifar10", "model": name, "method": "dense_small", **changes})
    return build_model(architecture_of(dict(settings), n_classes, shape), n_classes, shape)


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("n_classes", [10, 100])
@pytest.mark.parametrize("name", ["resnet20", "resnet56", "resnet18", "resnet50", "vgg16_bn", "resnet18_imagenet_stem"])
def test_it_has_as_many_parameters_as_app_ends_with(name, n_classes):
    full = build_model(name, n_classes, SHAPE)
    set_prunable(full, ("conv",), ("classifier", "frozen"))
    wanted = count(full) - (1 - 0.8**4.5) * count_prunable(full)
    small = build(name, n_classes)
    assert count(small) == pytest.approx(wanted, rel=0.01)
    assert count(full) > 2 * wanted
    assert small.eval()(torch.zeros(2, *SHAPE)).shape == (2, n_classes)
    kinds = [[type(module) for module in model.modules()] for model in (small, full)]
    assert len(kinds[0]) >= len(kinds[1])  # a narrower first stage may need a projection in its shortcut


@pytest.mark.parametrize("tau", [1, 10, 20])
def test_other_densities_have_other_widths(tau):
    full = build_model("resnet20", 10, SHAPE)
    set_prunable(full, ("conv",), ("classifier", "frozen"))
    assert count(build("resnet20", tau=tau)) == pytest.approx(
        count(full) - (1 - 0.8**tau) * count_prunable(full), rel=0.01
    )


def test_its_size_leaves_out_the_classifier_that_is_called_last(forget):
    """A network that defines its classifier first is as large as APP leaves the same network in its usual order."""

    class Net(nn.Module):
        def __init__(self, n_classes, channels, head_first):
            super().__init__()
            layers = {"head": nn.Linear(channels(400), n_classes), "hidden": nn.Linear(3 * 32 * 32, channels(400))}
            for name in layers if head_first else reversed(layers):
                self.add_module(name, layers[name])

        def forward(self, x):
            if self.head.weight.abs().max() > 0:  # which cannot be asked on the meta device
                return self.head(self.hidden(x.flatten(1)))

    for name in ("first", "last"):
        register("model", f"head_{name}_for_test")(
            lambda n, shape, channels=int, first=name == "first": Net(n, channels, first)
        )
    sizes = [count(build(f"head_{name}_for_test", prunable=["linear"], n_classes=200)) for name in ("first", "last")]
    assert sizes[0] == sizes[1]


def test_usual_numbers_of_channels_change_no_weight():
    """A function that changes nothing gives the weights that a network without one has, which digests rely on."""
    for name in ("resnet20", "resnet18", "vgg16_bn"):
        usual, asked = build_model(name, 10, SHAPE, seed=3), build_model(Architecture(name, int), 10, SHAPE, seed=3)
        assert all(torch.equal(usual.state_dict()[key], value) for key, value in asked.state_dict().items()), name


def test_a_run_of_it_verifies_and_loads(tiny, tmp_path):
    metrics = run_stream(tiny(method="dense_small", start="cold"), tmp_path)
    full = run_stream(tiny(method="app"), tmp_path / "app")
    assert metrics["parameter_count"] == pytest.approx(
        full["parameter_count"] - full["final"]["prunable_count"] + full["final"]["kept_count"], rel=0.01
    )
    assert metrics["final"]["density"] == 1
    assert count(load_network(tmp_path)) == metrics["parameter_count"]
    *_, done = verify([tmp_path])
    assert done.problems == []


def test_its_size_is_part_of_its_name():
    def digest(**changes):
        return parse_settings({"dataset": "digits", "model": "resnet20", "method": "dense_small", **changes}).digest()

    assert digest() != digest(tau=3)
    assert digest() == digest(sample_frac=0.5, pruner="magnitude")


def test_a_network_without_a_width_is_refused_before_any_job(forget):
    @register("model", "fixed_for_test")
    def fixed(n_classes, image_shape):
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.LazyLinear(n_classes))

    settings = parse_settings({"dataset": "cifar10", "model": "fixed_for_test", "method": "dense_small"})
    with pytest.raises(SettingError, match=r"^model: 'fixed_for_test' has no width, which a method with a small netw"):
        check_runs([settings])


def test_a_size_that_no_width_reaches_is_refused():
    with pytest.raises(SettingError, match=r"^method: a narrow resnet20 of .* parameters is not allowed: the closest"):
        build("resnet20", tau=60)
