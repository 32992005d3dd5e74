"""Test that the version of a rule is part of the digests of exactly the runs that the rule concerns."""

import json

import numpy as np
import pytest
from conftest import ROOT
from safetensors.numpy import save_file

import anytime_pruning.settings.versions
from anytime_pruning.datasets.cache import cache_path, cached_train_count
from anytime_pruning.foundation.safe_text import read_yaml
from anytime_pruning.pruning.protocols import make_protocol
from anytime_pruning.settings.run import parse_settings
from anytime_pruning.settings.study import plan_study

BASE = {"dataset": "cifar10", "model": "resnet20"}
FOLDER = {"name": "mine", "source": "image_folder", "path": "nowhere"}
SHOTS = {"name": "few", "source": "restricted_imagenet", "path": "nowhere", "shots": 540}


def versions(**changes):
    """Return the versions in the identity of a run except the one of all results."""
    identity = parse_settings(BASE | changes).identity()
    return {key: value for key, value in identity.items() if key.endswith("_version") and key != "results_version"}


def test_a_run_that_no_narrow_version_concerns_has_none():
    assert versions() == {}


def test_a_models_version_concerns_runs_of_this_model():
    assert versions(model="vgg16_bn") == {"model_version": 2}
    # Names that nobody registered have version 1 as well, because names are checked later.
    assert versions(model="my_net") == {}


def test_a_protocols_version_concerns_runs_of_this_protocol():
    expected = {"protocol_version": make_protocol("released").version}
    assert versions(protocol="released") == expected
    assert versions(protocol="released", method="dense") == expected
    assert versions(protocol="released", model="vgg16_bn") == expected | {"model_version": 2}


@pytest.mark.parametrize(
    ("changes", "is_concerned"),
    [
        # 50,000 images in 8 megabatches of 6,250: both rules hold out 625.
        ({}, False),
        # 16,666 or 16,667 images: rounding holds out 1,667 of both; cut off, 14,999 and 15,000 are trained on, so both
        # rules agree.
        ({"n_megabatches": 3}, False),
        # 7,142 or 7,143 images: rounding holds out 714 of both, and cutting off leaves 6,427 and 6,428, so 715 of both.
        ({"n_megabatches": 7}, True),
        # 7,560 images in 120 megabatches of 63: 6 by rounding, and 7. In 10 megabatches of 756: 76 by both rules.
        ({"dataset": SHOTS, "n_megabatches": 120}, True),
        ({"dataset": SHOTS, "n_megabatches": 10}, False),
        # 8 megabatches of 1,250 images: 125 by both rules. 8 megabatches of 12 images: 1 by rounding, and 2.
        ({"dataset": FOLDER, "train_limit": 10_000}, False),
        ({"dataset": FOLDER, "train_limit": 96}, True),
        # 7 megabatches of 10 images and one of 11. Of 10, both rules hold out 1; of 11, 1 by rounding, and 2.
        ({"dataset": FOLDER, "train_limit": 8 * 10 + 1}, True),
        # Nobody knows the number of images.
        ({"dataset": FOLDER}, True),
        ({"dataset": SHOTS | {"shots": None}}, True),
        # 179 or 180 images, of which both rules hold out 18. With valid_frac 0.3, rounding holds out 54 of 180, and
        # the product 0.7 * 180 is below 126, so 55 are held out.
        ({"dataset": "digits"}, False),
        ({"dataset": "digits", "valid_frac": 0.3}, True),
    ],
)
def test_the_splits_version_concerns_runs_whose_counts_differ(changes, is_concerned):
    assert versions(**changes) == ({"split_version": 2} if is_concerned else {})


def test_the_number_of_images_in_a_cache_changes_no_digest(tmp_path):
    pinned = FOLDER | {"content_sha256": "0" * 64}
    settings = parse_settings(BASE | {"dataset": pinned, "execution": {"data_dir": str(tmp_path)}})
    before = settings.digest()
    path = cache_path(settings.dataset, tmp_path)
    path.parent.mkdir()
    header = json.dumps({"content_sha256": "0" * 64, "fingerprint": None})
    save_file({"train_labels": np.zeros(50_000, dtype=np.int64)}, path, metadata={"header": header})
    assert cached_train_count(settings.dataset, tmp_path) == 50_000
    assert settings.digest() == before


def test_raising_a_models_version_changes_the_digests_of_its_runs_alone(monkeypatch):
    digests = [parse_settings(BASE | {"model": model}).digest() for model in ("resnet20", "resnet18")]
    monkeypatch.setitem(anytime_pruning.settings.versions.MODEL_VERSIONS, "resnet18", 2)
    again = [parse_settings(BASE | {"model": model}).digest() for model in ("resnet20", "resnet18")]
    assert again[0] == digests[0]
    assert again[1] != digests[1]


def test_stored_runs_of_the_papers_protocol_are_found():
    """Check that no narrow version concerns them: their folders carry the digest of version 1 of every rule."""
    _, runs = plan_study(read_yaml(ROOT / "config" / "cifar100.yaml"))
    paper = [run.name for run in runs if run.settings.protocol == "paper"]
    assert len(paper) == 20
    assert all((ROOT / "results" / "cifar100" / "runs" / name).is_dir() for name in paper)
