"""Test that stored tensors of every type are looked at, also of types that NumPy does not know."""

import os
from types import SimpleNamespace

import pytest
import torch
from forge import problems_in
from safetensors.torch import save_file

from anytime_pruning import register, run_stream
from anytime_pruning.verification.stored import verify
from anytime_pruning.verification.weights import check_weights

FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e5m2, torch.float8_e4m3fn]
OTHERS = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.uint64]


def said_of(tensor, kept, folder):
    """Return what is found in a file of one tensor whose table says how many of its numbers are not zero."""
    save_file({"a": tensor}, folder / "weights.safetensors")
    layer = SimpleNamespace(layer="a", kept=kept, total=tensor.numel())
    rows = SimpleNamespace(megabatches=[SimpleNamespace(t=2)], layers_at=lambda t: [layer])
    return [finding.text for finding in check_weights(folder / "weights.safetensors", rows)]


@pytest.mark.parametrize("kind", [*FLOATS, *OTHERS], ids=str)
def test_numbers_that_are_not_zero_are_counted_in_every_type(kind, tmp_path):
    tensor = torch.tensor([[0, 1, 1], [0, 0, 1]]).to(kind)
    assert said_of(tensor, 3, tmp_path) == []
    (said,) = said_of(tensor, 2, tmp_path)
    assert said == "a: 3 of 6 weights are not zero, but layers.csv says 2 of 6"


@pytest.mark.parametrize("kind", FLOATS, ids=str)
def test_a_negative_zero_is_zero_and_what_is_not_a_number_is_named(kind, tmp_path):
    limits = torch.finfo(kind)
    whole = torch.tensor([-0.0, 1.0, -2.0, limits.max, limits.smallest_normal], dtype=torch.float64).to(kind)
    assert said_of(whole, 4, tmp_path) == []
    whole = torch.tensor([0.0, float("nan"), 1.0]).to(kind)
    assert said_of(whole, 2, tmp_path) == ["a has values that are not numbers"]


class Typed(torch.nn.Module):
    """Has buffers of types that NumPy does not know."""

    def __init__(self, n_classes):
        super().__init__()
        self.conv, self.head = torch.nn.Conv2d(1, 8, 3), torch.nn.Linear(8, n_classes)
        for kind in ("bfloat16", "float8_e5m2", "float8_e4m3fn"):
            self.register_buffer(f"a_{kind}", torch.ones(1, dtype=getattr(torch, kind)))

    def forward(self, x):
        return self.head(self.conv(x).relu().mean((2, 3)) * self.a_bfloat16.float())


def test_a_run_of_a_network_with_such_buffers_verifies(forget, tiny, tmp_path):
    register("model", "typed_for_test")(lambda n, shape: Typed(n))
    run_stream(tiny(model="typed_for_test", epochs=1, n_megabatches=2), tmp_path)
    assert problems_in(tmp_path, evaluate=True) == []


def test_a_network_that_fails_in_any_way_is_a_problem_of_its_run_alone(forget, tiny, tmp_path, monkeypatch):
    @register("model", "a_for_test")
    def build(n_classes, image_shape):
        if "NO_TABLE_FOR_TEST" in os.environ:
            raise KeyError("table of\npositions")
        return Typed(n_classes)

    register("model", "b_for_test")(lambda n, shape: Typed(n))
    for name in ("a", "b"):
        run_stream(tiny(model=f"{name}_for_test", epochs=1, n_megabatches=1), tmp_path / name)
    monkeypatch.setenv("NO_TABLE_FOR_TEST", "1")
    *_, done = verify([tmp_path])
    assert done.problems == [f"{tmp_path / 'a'}: cannot be checked: KeyError: 'table of\\npositions'"]
    assert done.counts["tested again"] == 1
