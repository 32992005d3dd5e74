"""Test the estimate of how long a study takes."""

import json

import pytest

from anytime_pruning import run_stream
from anytime_pruning.foundation.registry import names, register
from anytime_pruning.orchestration.forecast.estimate import describe_cost, flop_of_run, network_macs, network_parameters
from anytime_pruning.orchestration.forecast.machines import read_machines
from anytime_pruning.settings.run import parse_settings
from anytime_pruning.stream.replay import says_its_size
from benchmarks.network_sizes import count_network

CIFAR = {"dataset": "cifar10", "model": "resnet50"}


def test_the_file_has_every_network():
    assert list(network_macs()) == list(network_parameters()) == names("model")


@pytest.mark.parametrize("name", ["resnet20", "vgg16_bn", "wide_resnet50_2_imagenet_stem"])
def test_the_file_has_what_is_counted(name):
    assert (network_macs()[name], network_parameters()[name]) == count_network(name)


@pytest.mark.parametrize(
    "changes", [{}, {"replay": "none"}, {"replay": "previous"}, {"replay": "buffer", "buffer_size": 20}]
)
def test_samples_are_about_those_of_a_run(changes, tiny, tmp_path):
    """Compare with the samples that a run plans exactly, after rounding megabatches to whole images."""
    metrics = run_stream(tiny(**changes), tmp_path)
    planned = metrics["cost"]["planned_samples"]
    settings = parse_settings(tiny(**changes))
    # Digits has 1437 training images and 360 test images. The test images are a fifth of all images, and thus a
    # quarter of the number of training images.
    expected = 2 * network_macs()["resnet20"] * (3 * planned["train"] + planned["evaluate"])
    assert flop_of_run(settings) == pytest.approx(expected, rel=0.25)
    assert flop_of_run(settings.model_copy(update={"epochs": 200})) == pytest.approx(
        100 * 2 * network_macs()["resnet20"] * 3 * planned["train"], rel=0.25
    )


def test_validation_images_are_counted_as_the_stream_divides_them():
    """Count a few-shot stream of 120 megabatches, each with 56 images to train on and 7 to validate on."""
    few = {"name": "few", "source": "restricted_imagenet", "path": "nowhere", "shots": 540}
    settings = parse_settings({"dataset": few, "model": "resnet50", "n_megabatches": 120, "epochs": 50})
    parts = 120 * 121 // 2  # Full replay uses t megabatches at t, so 1 + 2 + ... + 120 in all.
    evaluated = 51 * 7 * parts + 56 * parts + 120 * 7560 // 5
    expected = 2 * network_macs()["resnet50"] * (3 * 50 * 56 * parts + evaluated)
    assert flop_of_run(settings) == pytest.approx(expected, rel=1e-9)


def machine(folder, name, device, rate, **others):
    rates = {"ours": rate} | {variant.replace("_", " "): other for variant, other in others.items()}
    samples_per_s = {variant: {"median": median} for variant, median in rates.items()}
    network = {"gflop_per_sample": 7.7868, "samples_per_s": samples_per_s}
    content = {"machine": {"name": name, "device": device}, "networks": {"resnet50": network}}
    (folder / f"{name}.json").write_text(json.dumps(content))


def test_hours_follow_from_measured_samples_per_second(tmp_path):
    """Estimate one megabatch (T = 1) that trains on 45,000 of 50,000 images.

    The run trains on 2.25 million samples; evaluating a sample costs a third of training on a sample.
    """
    machine(tmp_path, "slow", "cpu", 100)
    (tmp_path / "broken.json").write_text("{")
    for name, networks in (("latencies", [{"network": "resnet50"}]), ("nothing", None), ("text", "resnet50")):
        (tmp_path / f"{name}.json").write_text(json.dumps({"machine": {"name": "x"}, "networks": networks}))
    settings = parse_settings(CIFAR | {"n_megabatches": 1, "epochs": 50})
    samples = 50 * 45_000 + (51 * 5_000 + 45_000 + 10_000) / 3
    expected = samples / 100 / 3600
    (measured,) = read_machines(tmp_path)
    assert measured.hours({("resnet50", False): flop_of_run(settings)}) == pytest.approx(expected, rel=1e-3)
    line = describe_cost([settings], [measured])
    assert "0.25 GPU-hours at 20 TFLOP/s, which is assumed: no GPU has been measured" in line
    assert "6.5 hours of slow, as measured" in line
    assert "median" not in line
    other = describe_cost([settings, parse_settings(CIFAR | {"model": "resnet18", "epochs": 500})], [measured])
    assert "hours of slow, as measured (but resnet18: the median of other networks)" in other


def test_float32_takes_the_hours_that_were_measured_without_bfloat16(tmp_path):
    """Estimate a run that takes 6.5 hours in bfloat16, on a machine that is half as fast in float32."""
    machine(tmp_path, "native", "cpu", 100, without_bfloat16=50)
    machine(tmp_path, "without", "cpu", 50)
    settings = [
        parse_settings(CIFAR | {"n_megabatches": 1, "epochs": 50, "precision": name}) for name in ("auto", "float32")
    ]
    native, without = read_machines(tmp_path)
    assert "6.5 hours of native" in describe_cost(settings[:1], [native])
    assert "13 hours of native" in describe_cost(settings[1:], [native])
    # The machine without native bfloat16 has one speed.
    assert "13 hours of without" in describe_cost(settings[:1], [without])
    assert "13 hours of without" in describe_cost(settings[1:], [without])
    # A network that was not measured gets the usual speed of its precision.
    assert native.hours({("mine", True): 1e15}) == 2 * native.hours({("mine", False): 1e15})


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
    assert line == "The duration is unknown; not counted: 1 of 1 runs (resnet50 on mine)."
    limited = parse_settings(CIFAR | {"dataset": unknown, "train_limit": 900})
    assert flop_of_run(limited) > 0


def test_a_policy_from_elsewhere_is_counted_as_it_says_itself(forget, tiny):
    @register("replay", "half")
    @says_its_size(lambda t, part, buffer_size: part * t / 2)
    def replay_half(past, current, buffer_size, generator):
        return current

    full, half = (parse_settings(tiny(replay=name, epochs=200)) for name in ("full", "half"))
    assert flop_of_run(half) == pytest.approx(flop_of_run(full) / 2, rel=0.01)


def test_what_does_not_say_its_size_is_not_counted_and_named(forget, tiny):
    @register("replay", "mine")
    def replay_mine(past, current, buffer_size, generator):
        return current

    register("model", "my_net")(lambda n_classes, image_shape: None)
    settings = [parse_settings(tiny(**changes)) for changes in ({"replay": "mine"}, {"model": "my_net"}, {})]
    assert [flop_of_run(each) is None for each in settings] == [True, True, False]
    assert describe_cost(settings, []).endswith(
        "not counted: 2 of 3 runs (my_net on digits; resnet20 on digits, replay mine)."
    )
