"""Test that one model reads metrics.json and writes the same file again to the byte."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from forge import forge

from anytime_pruning.foundation.errors import DataError
from anytime_pruning.results.metrics_file import Hardware, MetricsFile, NetworkInput, parse_metrics
from anytime_pruning.results.store import read_metrics, render, seal

STORED = sorted((ROOT / "results").rglob("runs/**/metrics.json"))


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.parent.name)
def test_every_stored_file_is_read_and_would_be_written_again_to_the_byte(path):
    assert render(seal(read_metrics(path.parent).content())).encode() == path.read_bytes()


def test_a_new_file_is_what_the_model_writes_in_the_order_of_its_fields(run):
    metrics = read_metrics(run)
    text = (run / "metrics.json").read_text()
    assert render(metrics.content()) == text
    # Only a user's own network has a digest.
    assert list(json.loads(text)) == [name for name in MetricsFile.model_fields if name != "network_sha256"]


def test_a_run_was_computed_on_its_gpu_if_it_had_one():
    cpu = Hardware(device="cpu", processor="Xeon", cpu_capability="AVX2", cores=2, threads=2, peak_memory_mb=900)
    assert cpu.computed_on == "Xeon"
    gpu = cpu.model_copy(update={"gpu": "NVIDIA H100", "gpu_slots": 1})
    assert gpu.computed_on == "NVIDIA H100"
    assert gpu.model_copy(update={"gpu_slots": None}).computed_on == "NVIDIA H100"
    assert gpu.model_copy(update={"gpu_slots": 4}).computed_on == "NVIDIA H100 (4 runs at once)"


def test_keys_of_other_versions_of_the_code_are_kept(run):
    forge(run, lambda content: content["hardware"].update(volts=12))
    forge(run, lambda content: content.update(energy_kwh=0.5))
    content = read_metrics(run).content()
    assert (content["hardware"]["volts"], content["energy_kwh"]) == (12, 0.5)
    assert content == json.loads((run / "metrics.json").read_text())


def test_files_from_before_containers_and_deterministic_algorithms_are_read(run):
    def make_older(content):
        del content["container"], content["hardware"]["deterministic"]

    forge(run, make_older)
    metrics = read_metrics(run)
    assert (metrics.container, metrics.hardware.deterministic) == (None, False)
    assert "container" not in metrics.content()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda said: said.pop("seed"), "seed is missing"),
        (lambda said: said.update(seed=True), "seed is True, but should be a valid integer"),
        (lambda said: said.update(seed=10**400), "seed is an integer of 1329 bits, but should be less than .*"),
        (
            lambda said: said.update(wall_time_s=10**400),
            "wall_time_s is an integer of 1329 bits, but should be a finite number",
        ),
        (lambda said: said["final"].pop("density"), "final.density is missing"),
        (lambda said: said["final"].update(kept_count=-1), "final.kept_count is -1, but should be greater than or .*"),
        (lambda said: said["input"].update(mean=[0.5, 0.5]), "input: mean and std must have one number for .* channel"),
        (lambda said: said["files"].update({100 * "a": 7}), f"files.{80 * 'a'} is 7, but should be a valid string"),
        (lambda said: said["files"].update({"a\nb": 7}), r"files.a\\nb is 7, but should be a valid string"),
        (lambda said: said.update(resumed=[{}]), r"resumed.0.t is missing \(and 5 more\)"),
        (lambda said: said.update(precision="float8"), "precision is 'float8', but should be 'float32' or 'bfloat16'"),
    ],
)
def test_the_first_wrong_value_is_named_by_its_place(change, message, run):
    forge(run, change)
    with pytest.raises(DataError, match=f"metrics.json: {message}; fetch it again") as error:
        read_metrics(run)
    assert "\n" not in str(error.value)


def test_a_text_that_is_no_json_is_not_readable():
    with pytest.raises(DataError, match=r"^metrics.json: not readable; fetch it again"):
        parse_metrics(Path("metrics.json"), "{")


def test_what_is_written_is_checked_as_what_is_read():
    with pytest.raises(ValueError, match="one number for each channel"):
        NetworkInput(image_shape=(3, 8, 8), n_classes=10, mean=(0.5,), std=(0.5,))


@pytest.mark.parametrize("module", ["store", "records", "variants", "run_list"])
def test_reading_results_loads_neither_torch_nor_pandas(module):
    program = f"import sys, anytime_pruning.results.{module}; print({{'torch', 'pandas'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
