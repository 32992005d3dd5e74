"""Stored networks tested again: what only the network and the images can tell is told."""

import json

import numpy as np
import pytest
from forge import forge, in_all, problems_in, put, say
from safetensors.numpy import load_file, save_file

from anytime_pruning import layout
from anytime_pruning.storage import file_sha256

# What only the network and the images can tell.
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
    "hardware": (say(hardware="fast"), "metrics.json: is not as this code writes it"),
    "precision": (say(precision="float8"), "precision is float8, which is none of"),
    "no checksums": (say(files=None), "config.yaml: damaged or changed"),
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


def test_weights_that_are_no_numbers_are_found_without_testing(run):
    path = layout.find_weights(run)
    weights = load_file(path)
    (last,) = (name for name, array in weights.items() if array.ndim == 2)
    save_file(weights | {last: np.full_like(weights[last], np.nan)}, path)
    forge(run, lambda content: content["files"].update({layout.WEIGHTS: file_sha256(path)}))
    assert problems_in(run) == [f"{path}: {last} has values that are no numbers"]
