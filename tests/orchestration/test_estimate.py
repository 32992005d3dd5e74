import json

import pytest
import torch

from anytime_pruning import run_stream
from anytime_pruning.foundation.registry import lookup, names
from anytime_pruning.orchestration.estimate import MEGA_MACS, describe_cost, flop_of_run, read_machines
from anytime_pruning.pruning.macs import count_macs
from anytime_pruning.settings.run import parse_settings

CIFAR = {"dataset": "cifar10", "model": "resnet50"}


@pytest.mark.parametrize("name", names("model"))
def test_every_network_is_known_as_it_is_counted(name):
    with torch.device("meta"):
        model = lookup("model", name)(10, (3, 32, 32))
        macs = count_macs(model, (3, 32, 32))
    weights = {key: weight.numel() for key, weight in model.named_parameters() if key in macs.positions}
    assert MEGA_MACS[name] == pytest.approx(macs.total(weights) / 1e6, abs=0.06)


@pytest.mark.parametrize(
    "changes", [{}, {"replay": "none"}, {"replay": "previous"}, {"replay": "buffer", "buffer_size": 20}]
)
def test_samples_are_about_those_of_a_run(changes, tiny, tmp_path):
    """Against the samples that a run plans exactly, which rounds megabatches to whole images."""
    metrics = run_stream(tiny(**changes), tmp_path)
    planned = metrics["cost"]["planned_samples"]
    settings = parse_settings(tiny(**changes))
    # Digits have 1437 training images and 360 for testing, a fifth of all and so a quarter of those.
    expected = 2 * MEGA_MACS["resnet20"] * 1e6 * (3 * planned["train"] + planned["evaluate"])
    assert flop_of_run(settings) == pytest.approx(expected, rel=0.25)
    assert flop_of_run(settings.model_copy(update={"epochs": 200})) == pytest.approx(
        100 * 2 * MEGA_MACS["resnet20"] * 1e6 * 3 * planned["train"], rel=0.25
    )


def machine(folder, name, device, rate):
    network = {"gflop_per_sample": 7.7868, "samples_per_s": {"ours": {"median": rate}}}
    content = {"machine": {"name": name, "device": device}, "networks": {"resnet50": network}}
    (folder / f"{name}.json").write_text(json.dumps(content))


def test_hours_follow_from_measured_samples_per_second(tmp_path):
    """T = 1 on 45,000 of 50,000 images: 2.25 million samples to train on; an evaluation costs a third of that."""
    machine(tmp_path, "slow", "cpu", 100)
    (tmp_path / "broken.json").write_text("{")
    settings = parse_settings(CIFAR | {"n_megabatches": 1, "epochs": 50})
    samples = 50 * 45_000 + (51 * 5_000 + 45_000 + 10_000) / 3
    expected = samples / 100 / 3600
    (measured,) = read_machines(tmp_path)
    assert measured.hours({"resnet50": flop_of_run(settings)}) == pytest.approx(expected, rel=1e-3)
    line = describe_cost([settings], [measured])
    assert "0.25 GPU-hours at 20 TFLOP/s, which is assumed: no GPU has been measured" in line
    assert "6.5 hours of slow, as measured" in line


def test_a_measured_gpu_is_what_counts(tmp_path):
    machine(tmp_path, "slow", "cpu", 100)
    machine(tmp_path, "fast", "cuda", 10_000)
    line = describe_cost([parse_settings(CIFAR)] * 100, read_machines(tmp_path))
    assert "hours of fast, as measured" in line
    assert "assumed" not in line
    assert "slow" not in line


def test_minutes_are_not_worth_a_line():
    assert describe_cost([parse_settings({"dataset": "digits", "model": "resnet20", "epochs": 2})], []) == ""


def test_what_is_not_known_is_said():
    unknown = {"name": "mine", "source": "image_folder", "path": "nowhere", "content_sha256": "0" * 64}
    line = describe_cost([parse_settings(CIFAR | {"dataset": unknown})], [])
    assert line == "How long it takes is not counted: 1 of 1 runs (resnet50 on mine)."
    limited = parse_settings(CIFAR | {"dataset": unknown, "train_limit": 900})
    assert flop_of_run(limited) > 0
