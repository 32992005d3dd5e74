"""Test that the benchmark measures what its tables name. No test depends on a measured time."""

import json
import re

import torch
from conftest import ROOT
from torch import nn

from anytime_pruning import build_model
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.pruning.selections.unstructured import select_masks
from benchmarks import __main__, children, growth
from benchmarks.report import to_markdown
from benchmarks.speed.ceiling import training_flops
from benchmarks.speed.plain_loop import multiply_masks_in_forward
from benchmarks.speed.variants import IMAGE_SHAPE, make_variants

CPU = torch.device("cpu")


def test_every_way_trains_and_those_of_ours_keep_their_masks():
    variants = make_variants("resnet20", CPU)
    assert {"plain", "ours"} < variants.keys()
    before = {way: v.trainer.model.network.conv1.weight.detach().clone() for way, v in variants.items() if v.trainer}
    for way, variant in variants.items():
        variant.train(2)
        if variant.trainer:
            weights = prunable_weights(variant.trainer.model)
            kept = sum(int(weight.count_nonzero()) for weight in weights.values())
            assert kept == round(0.5 * sum(weight.numel() for weight in weights.values())), way
            assert not torch.equal(variant.trainer.model.network.conv1.weight, before[way]), way


def test_the_plain_loop_computes_with_masked_weights():
    model, masked = (build_model("resnet20", 10, IMAGE_SHAPE, seed=1).eval() for _ in range(2))
    masks = select_masks({name: weight.detach().abs() for name, weight in prunable_weights(model).items()}, 0.5)
    multiply_masks_in_forward(masked, masks)
    images = torch.rand(2, *IMAGE_SHAPE)
    assert not torch.allclose(masked(images), model(images))
    for name, weight in prunable_weights(model).items():
        weight.data *= masks[name]
    assert torch.allclose(masked(images), model(images), atol=1e-6)


def test_flops_are_those_of_a_convolution_counted_by_hand():
    """Count 2 * 8 * 8 pixels * 4 channels * 27 weights twice: once forward, once for the gradient of the weights."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert training_flops(model, (3, 8, 8), 5) == 2 * 2 * 8 * 8 * 4 * 27


def test_growth_is_measured_and_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(growth, "LENGTHS", (1, 2))
    monkeypatch.setattr(growth, "SIZES", (60,))
    monkeypatch.setattr(growth, "FIXED_T", 2)
    monkeypatch.setattr(growth, "FIXED_N", 120)
    rows = growth.measure_growth(1)
    # Training sees 90 % of the images, and with full replay N (T + 1) / 2 images in all.
    assert {(row["T"], row["N"]): row["train"] for row in rows} == {(1, 120): 108, (2, 120): 162, (2, 60): 81}
    growth.draw_growth(rows, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_a_child_says_its_peak_memory():
    assert children.memory("resnet20")["peak_memory_mb"] > 150  # the images alone take most of it


def test_a_device_that_is_not_there_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert __main__.main(["--device", "cuda"]) == 2
    assert capsys.readouterr().err == (
        "error: device: 'cuda' is not allowed: this machine has 0 CUDA devices; use auto or cpu\n"
    )


def test_the_tables_in_the_repository_are_made_of_the_stored_numbers():
    """Check the results that the README shows, because a user may have added those of another machine."""
    readme = (ROOT / "README.md").read_text()
    (stem,) = re.findall(r"\((benchmarks/results/\S+)-growth\.png\)", readme)
    text = to_markdown(json.loads((ROOT / f"{stem}.json").read_text()))
    assert (ROOT / f"{stem}.md").read_text() == text
    assert text.split("\n\n")[1] in readme  # the README repeats the first table
