"""Test that evaluating stored networks again finds the errors that only network and images can reveal."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from forge import forge, in_all, problems_in, put, say
from safetensors.numpy import load_file, save_file

from anytime_pruning.datasets.digits import Digits
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.foundation.files import file_sha256
from anytime_pruning.foundation.registry import _registered
from anytime_pruning.results import layout
from anytime_pruning.results.store import read_metrics
from anytime_pruning.verification import reevaluation
from anytime_pruning.verification.stored import verify

# Only the network and the images reveal these changes.
COMPUTED_AGAIN = {
    "images": (say(data_sha256="0" * 64), "data_sha256 is 0000"),
    "input": (say(input={"image_shape": [1, 8, 8], "n_classes": 11, "mean": [0.3], "std": [0.4]}), "input is {"),
    "shared images": (say(test_images_in_train=7), "test_images_in_train is 7, but computed again it is 0"),
    "parameters": (say(parameter_count=7), "parameter_count is 7, but computed again it is "),
    "size": (say(size={"dense_bytes": 7, "sparse_bytes": 7}), "size is {'dense_bytes': 7"),
    "macs": (in_all("layers.csv", "macs", lambda macs: str(2 * int(macs))), "layers.csv: macs is {"),
    "all macs": (
        lambda run: forge(run, lambda c: c["final"].update(macs_count=1, macs_kept=1)),
        "final.macs_count is 1, but computed again it is ",
    ),
    "scored": (
        lambda run: forge(run, lambda c: c["cost"]["planned_samples"].update(score=1)),
        "cost.planned_samples.score is 1, but computed again it is ",
    ),
    "test images": (in_all("megabatches.csv", "test_count", lambda _: "720"), "test_count is 720, but computed again"),
    "train images": (put("megabatches.csv", 0, train_count="7"), "train_count at t=1 is 7, but computed again it is"),
    "valid images": (put("megabatches.csv", 0, valid_count="7"), "valid_count at t=1 is 7, but computed again it is"),
    "hardware": (say(hardware="fast"), "metrics.json: hardware is 'fast', but should be an object"),
    "precision": (say(precision="float8"), "precision is 'float8', but should be 'float32' or 'bfloat16'"),
    "no checksums": (say(files=None), "metrics.json: files is None, but should be an object"),
}


@pytest.mark.parametrize(("change", "message"), COMPUTED_AGAIN.values(), ids=COMPUTED_AGAIN)
def test_a_number_is_found_by_computing_it_again(change, message, run):
    change(run)
    if json.loads((run / "metrics.json").read_text())["files"]:
        forge(run)
    assert any(message in problem for problem in problems_in(run, evaluate=True)), problems_in(run, evaluate=True)


def test_other_weights_are_found_by_their_layers_and_their_errors(run, study):
    path = layout.find_weights(run)
    weights = load_file(path)
    name = next(name for name, array in weights.items() if array.ndim == 4)
    save_file(weights | {name: np.zeros_like(weights[name])}, path)
    forge(run, lambda content: content["files"].update({layout.WEIGHTS: file_sha256(path)}))
    found = problems_in(run, evaluate=True)
    assert f"{path}: {name}: 0 of" in found[0]
    assert f"{run / 'metrics.json'}: size is " in found[1]
    assert f"{path}: makes " in found[2]
    assert len(found) == 3


def test_weights_of_the_same_counts_are_found_by_their_errors_alone(run):
    path = layout.find_weights(run)
    weights = load_file(path)
    (last,) = (name for name, array in weights.items() if array.ndim == 2)
    save_file(weights | {last: weights[last][::-1].copy()}, path)
    forge(run, lambda content: content["files"].update({layout.WEIGHTS: file_sha256(path)}))
    assert problems_in(run) == []
    (problem,) = problems_in(run, evaluate=True)
    assert f"{path}: makes " in problem


def test_weights_that_are_none_are_found(run):
    path = layout.find_weights(run)
    path.write_bytes(b"no weights")
    forge(run, lambda content: content["files"].update({layout.WEIGHTS: file_sha256(path)}))
    (problem,) = problems_in(run)
    assert problem.startswith(f"{path}: not readable (")


def test_weights_that_are_no_numbers_are_found_without_testing(run):
    path = layout.find_weights(run)
    weights = load_file(path)
    (last,) = (name for name, array in weights.items() if array.ndim == 2)
    save_file(weights | {last: np.full_like(weights[last], np.nan)}, path)
    forge(run, lambda content: content["files"].update({layout.WEIGHTS: file_sha256(path)}))
    assert problems_in(run) == [f"{path}: {last} has values that are not numbers"]


@pytest.mark.parametrize(("same_machine", "wrong"), [(True, 1), (True, 0), (False, 1), (False, 2)])
def test_on_another_machine_a_few_images_may_differ(same_machine, wrong, run, monkeypatch):
    """Allow no differing image on the same machine, and elsewhere at most 0.5 %, which is one of 360 images."""
    machine = {"device": "cpu" if same_machine else "cuda"}
    forge(run, lambda content: content["hardware"].update(machine))
    evaluate = reevaluation.evaluate

    def with_errors(*args):
        tested = evaluate(*args)
        return replace(tested, correct_count=tested.correct_count - wrong)

    monkeypatch.setattr(reevaluation, "evaluate", with_errors)
    found = problems_in(run, evaluate=True)
    assert bool(found) == (wrong > (0 if same_machine else 1))
    assert all(" errors on the test images, but " in problem for problem in found)


@pytest.mark.parametrize("change", ["device", "processor", "cpu_capability", "threads", "torch"])
def test_only_the_same_machine_and_versions_must_come_to_the_same(change, run):
    content = read_metrics(run)
    hardware, versions = content.hardware, content.versions
    assert reevaluation.computes_the_same(hardware, versions, "float32")
    other = {change: 10_000 if change == "threads" else "other"}
    assert not reevaluation.computes_the_same(hardware.model_copy(update=other), versions | other, "float32")


@pytest.mark.parametrize(
    ("capability", "native", "kernels", "is_same"),
    [("AVX512", True, True, True), ("AVX512", False, True, False), ("AVX2", False, False, True)],
)
def test_a_run_in_bfloat16_must_come_to_the_same_where_it_is_native_or_imitated_alike(
    capability, native, kernels, is_same, run, monkeypatch
):
    content = read_metrics(run)
    hardware = content.hardware.model_copy(update={"cpu_capability": capability})
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(reevaluation, "has_native_bfloat16", lambda device: native)
    monkeypatch.setattr(reevaluation, "has_bfloat16_kernels", lambda device: kernels)
    assert reevaluation.computes_the_same(hardware, content.versions, "bfloat16") is is_same
    assert reevaluation.computes_the_same(hardware, content.versions, "float32")


def test_a_network_is_tested_with_the_threads_of_its_run(run, monkeypatch):
    used = []
    monkeypatch.setattr(reevaluation, "prepare_process", lambda device, threads: used.append(threads))
    monkeypatch.setattr(reevaluation.os, "cpu_count", lambda: 8)
    for change in ({"threads": 3}, {"threads": 3, "device": "cuda"}):
        forge(run, lambda content, change=change: content["hardware"].update(change))
        assert problems_in(run, evaluate=True) == []
    assert used == [3, torch.get_num_threads()]


def no_layout(self, data_dir):
    raise DataError("0 class folders, no images")


def test_what_cannot_be_tested_again_is_said(study, tmp_path, monkeypatch):
    def notes(data_dir=tmp_path):
        *_, done = verify([study], data_dir=data_dir)
        assert (done.problems, done.counts["tested again"]) == ([], 0)
        return done.notes

    with monkeypatch.context() as gone:
        gone.setattr(Digits, "is_there", lambda self, data_dir: False)
        assert notes() == {"runs on digits, whose images are not there: not tested again": 3}
    with monkeypatch.context() as gone:
        gone.delitem(_registered["model"], "resnet20")
        ((note, count),) = notes().items()
        assert (count, note.partition(": model: ")[0]) == (3, "not tested again")
    with monkeypatch.context() as emptied:
        emptied.setattr(Digits, "read", no_layout)
        *_, done = verify([study], data_dir=tmp_path / "empty")
        assert len(done.problems) == 3
        emptied.setattr(Digits, "is_pinned", lambda self: False)
        assert notes(tmp_path / "empty") == {"runs on digits, whose images are not there: not tested again": 3}
    monkeypatch.setattr(Digits, "is_pinned", lambda self: False)
    for path in (study / "runs").rglob("metrics.json"):
        forge(path.parent, lambda content: content.update(data_sha256="0" * 64))
    *_, done = verify([study / "runs"], data_dir=tmp_path)
    assert done.notes == {"runs on digits, whose images have changed: not tested again": 3}
