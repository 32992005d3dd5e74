"""Test runs that start from the weights or the mask of another run."""

import hashlib
import os

import pytest
import torch
from conftest import read_csv
from safetensors.torch import load_file, save_file

import anytime_pruning.runs.job
import anytime_pruning.runs.loop
from anytime_pruning import build_model, run_stream
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.settings.run import parse_settings


def named(path):
    """Return the value with which settings name a file: the file's path and SHA-256."""
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


@pytest.fixture
def other_run(tiny, tmp_path):
    """Train a run that is pruned to a density of 0.366, and return the path of its weights."""
    run_stream(tiny(epochs=1, seed=7, method="osp"), tmp_path / "other")
    return tmp_path / "other" / "weights.safetensors"


@pytest.fixture
def watch_start(monkeypatch):
    """Record the network's state before the run processes any part of the stream."""
    seen = []
    run = anytime_pruning.runs.job.run_megabatches

    def watched(settings, arrays, model, *others):
        seen.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return run(settings, arrays, model, *others)

    monkeypatch.setattr(anytime_pruning.runs.job, "run_megabatches", watched)
    return seen


def test_a_run_starts_from_given_weights(other_run, tiny, tmp_path, watch_start):
    run_stream(tiny(method="dense", epochs=1, initial_weights=named(other_run)), tmp_path / "run")
    expected = load_file(other_run)
    assert watch_start[0].keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in watch_start[0].items())


def test_a_given_mask_is_kept_for_good_and_pruned_further(other_run, tiny, tmp_path):
    """Check that a dense run stays at the mask, and that a pruned run leaves the mask where the schedule is sparser."""
    mask = {name: load_file(other_run)[name] != 0 for name in prunable_weights(build_model("resnet20", 10, (1, 8, 8)))}
    run_stream(tiny(method="dense", epochs=1, initial_mask=named(other_run)), tmp_path / "dense")
    weights = load_file(tmp_path / "dense" / "weights.safetensors")
    assert all(torch.equal(weights[name] != 0, kept) for name, kept in mask.items())
    run_stream(tiny(epochs=1, tau=9, initial_mask=named(other_run)), tmp_path / "app")
    densities = [float(row["density_measured"]) for row in read_csv(tmp_path / "app" / "megabatches.csv")]
    assert densities == pytest.approx([0.8**4.5, 0.8**5, 0.8**9], abs=1e-4)
    weights = load_file(tmp_path / "app" / "weights.safetensors")
    assert all(not ((weights[name] != 0) & ~kept).any() for name, kept in mask.items())


def test_a_given_mask_is_in_force_before_the_first_step(other_run, tiny, tmp_path, monkeypatch):
    seen, make = [], anytime_pruning.runs.loop.RunState

    def watched(trainer, *others):
        seen.append({name: weight != 0 for name, weight in prunable_weights(trainer.model).items()})
        return make(trainer, *others)

    monkeypatch.setattr(anytime_pruning.runs.loop, "RunState", watched)
    run_stream(tiny(method="dense", epochs=1, initial_mask=named(other_run)), tmp_path / "run")
    weights = load_file(other_run)
    assert all(torch.equal(kept, weights[name] != 0) for name, kept in seen[0].items())


def test_content_names_results_and_the_place_does_not(other_run, tiny, tmp_path):
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(other_run.read_bytes())
    digests = [parse_settings(tiny(initial_mask=named(path))).digest() for path in (other_run, copy)]
    assert digests[0] == digests[1] != parse_settings(tiny()).digest()
    changed = named(copy) | {"sha256": "0" * 64}
    assert parse_settings(tiny(initial_mask=changed)).digest() != digests[0]


@pytest.mark.parametrize("setting", ["initial_weights", "initial_mask"])
def test_a_wrong_file_is_named_in_one_line(setting, tiny, tmp_path):
    good = {name: tensor.clone() for name, tensor in build_model("resnet20", 10, (1, 8, 8)).state_dict().items()}
    files = {name: tmp_path / f"{name}.safetensors" for name in ("other", "text", "misfit", "nan", "zero")}
    save_file(good, files["other"])
    files["text"].write_text("no weights")
    save_file({name: tensor for name, tensor in good.items() if "conv1" not in name}, files["misfit"])
    save_file(
        {name: tensor / 0 if tensor.is_floating_point() else tensor for name, tensor in good.items()}, files["nan"]
    )
    os.mkfifo(tmp_path / "pipe")
    expected = {
        "other": (named(files["other"]) | {"sha256": "0" * 64}, "has sha256 [0-9a-f]{64}, but the settings name 000"),
        "text": (named(files["text"]), "is not a safetensors file"),
        "misfit": (named(files["misfit"]), "does not fit resnet20: network.*conv1.weight is missing"),
        "nan": (named(files["nan"]), "has values that are not finite"),
        "pipe": ({"path": str(tmp_path / "pipe"), "sha256": "0" * 64}, "pipe: is not a file"),
        "folder": ({"path": str(tmp_path), "sha256": "0" * 64}, "is not a file"),
        "gone": ({"path": str(tmp_path / "gone"), "sha256": "0" * 64}, "gone: No such file"),
    }
    for file, message in expected.values():
        with pytest.raises(DataError, match=f"{setting}: .*{message}") as error:
            run_stream(tiny(**{setting: file}), tmp_path / "run")
        assert "\n" not in str(error.value)
        assert not (tmp_path / "run" / "metrics.json").exists()


def test_a_mask_that_keeps_nothing_is_refused(tiny, tmp_path):
    zeros = {name: torch.zeros_like(w) for name, w in prunable_weights(build_model("resnet20", 10, (1, 8, 8))).items()}
    save_file(zeros, tmp_path / "zeros.safetensors")
    with pytest.raises(DataError, match=r"initial_mask: .* keeps no weight"):
        run_stream(tiny(initial_mask=named(tmp_path / "zeros.safetensors")), tmp_path / "run")
