"""Test that a network's state is copied, stored and given back, whatever it holds."""

import signal
from functools import partial

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from anytime_pruning import load_network, register, run_stream
from anytime_pruning.export.onnx import export_run
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.signals import Interrupted
from anytime_pruning.models.state import check_state, copy_state, restore_state
from anytime_pruning.training.trainer import Trainer


class Extra(nn.Module):
    """Hold a value beside the tensors, which each forward pass in train mode may change."""

    def __init__(self, value, n_classes=2, channels=1):
        super().__init__()
        self.conv, self.fc, self.value = nn.Conv2d(channels, 4, 3), nn.Linear(4, n_classes), value

    def forward(self, x):
        if self.training and isinstance(self.value, dict) and "steps" in self.value:
            self.value = self.value | {"steps": self.value["steps"] + 1}
        return self.fc(self.conv(x).relu().mean((2, 3)))

    def get_extra_state(self):
        return self.value

    def set_extra_state(self, value):
        self.value = value


def through_a_file(model, other):
    restore_state(other, load(save(copy_state(model))))
    return other


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        0.1,
        True,
        "a text",
        b"\x00\xff",
        [1, [2, None]],
        {"a": {3: "three"}, "t": (1, 2.5)},
        {},
        {"json": {"tuple": [1]}},
    ],
)
def test_extra_state_of_any_plain_kind_comes_back(value):
    found = through_a_file(Extra(value), Extra("other")).value
    assert (found, type(found)) == (value, type(value))


def test_tensors_in_extra_state_come_back():
    table = torch.rand(3, dtype=torch.float64)
    assert torch.equal(through_a_file(Extra(table), Extra(torch.zeros(3))).value, table)
    found = through_a_file(Extra({"steps": 3, "tables": [table, table]}), Extra(None)).value
    assert found["steps"] == 3
    assert all(torch.equal(tensor, table) for tensor in found["tables"])


def test_an_ordinary_state_is_stored_as_it_is(toy_model):
    state = copy_state(toy_model)
    assert state.keys() == toy_model.state_dict().keys()
    assert all(torch.equal(tensor, state[name]) for name, tensor in toy_model.state_dict().items())


class Late(nn.Module):
    """Make buffers in the first forward pass: one that is declared and one that is not."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 4, 3), nn.Linear(4, 10)
        self.register_buffer("position", None)

    def forward(self, x):
        x = self.conv(x)
        if self.position is None:
            self.position = torch.linspace(0, 1, x.shape[-1])
        if not hasattr(self, "scale"):
            self.register_buffer("scale", torch.full((1, 4, 1, 1), 0.5))
        return self.fc((x * self.scale + self.position).mean((2, 3)))


class Growing(Late):
    """Keep the means of the last batches in a buffer that grows."""

    def forward(self, x):
        if self.training:
            mean = x.detach().mean().view(1)
            self.position = mean if self.position is None else torch.cat([self.position, mean])[-5:]
        x = self.conv(x).mean((2, 3))
        return self.fc(x if self.position is None else x + self.position.mean())


class Versioned(nn.Module):
    """Convert states that are older than its version, as modules of torch do."""

    _version = 2

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))

    def _load_from_state_dict(self, state, prefix, metadata, *args):
        if metadata.get("version", 1) < 2:
            state[f"{prefix}weight"] = state[f"{prefix}weight"] * 10
        super()._load_from_state_dict(state, prefix, metadata, *args)


def test_late_buffers_and_versions_come_back():
    model = Late()
    model(torch.rand(2, 1, 8, 8))
    found = through_a_file(model, Late())
    assert torch.equal(found.position, model.position)
    assert torch.equal(found.scale, model.scale)
    assert torch.equal(through_a_file(nn.Sequential(Versioned()), nn.Sequential(Versioned()))[0].weight, torch.ones(2))


class Unloadable(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def load_state_dict(self, state, strict=True, assign=False):
        raise NotImplementedError("not here")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Extra({1, 2}), "holds {1, 2} of type set"),
        (Extra(nn.Identity), "of type type, which cannot be stored"),
        (Unloadable(), "does not load its own state_dict(): not here"),
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.ParameterList([torch.eye(3).to_sparse()])), "cannot be stored: it is"),
    ],
)
def test_what_cannot_be_stored_is_said_before_training(model, message):
    with pytest.raises(SettingError) as error:
        check_state(model)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["extra", "late", "growing"])
def test_a_run_with_such_a_network_is_trained_stopped_resumed_loaded_and_exported(
    kind, forget, tiny, tmp_path, monkeypatch
):
    @register("model", "unusual_for_test")
    def build(n_classes, image_shape):
        made = {"extra": partial(Extra, {"steps": 0, "seen": (1, torch.zeros(1))}, n_classes), "late": Late}
        return made.get(kind, Growing)()

    settings = tiny(model="unusual_for_test", n_megabatches=2)
    whole = run_stream(settings, tmp_path / "whole")
    train = Trainer.train_megabatch

    def interrupted(self, progress, *args):
        trained = train(self, progress, *args)
        if progress.t == 2:
            raise Interrupted(signal.SIGINT, is_safe=True)
        return trained

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "train_megabatch", interrupted)
        with pytest.raises(Interrupted):
            run_stream(settings, tmp_path / "parts")
    again = run_stream(settings, tmp_path / "parts")
    assert again["resumed"]
    assert again["final"]["density"] == whole["final"]["density"]
    one, two = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "parts"))
    assert one == two
    network = load_network(tmp_path / "parts").network
    if kind == "extra":
        assert network.value["steps"] > 0
    else:
        assert network.position is not None
    export_run(tmp_path / "parts")
