"""Test Restricted ImageNet on a small tree that looks like ImageNet: 1000 classes, of which few have images."""

import os
import shutil

import numpy as np
import pytest
import torch
from conftest import encode
from PIL import Image

from anytime_pruning.datasets import load_dataset, parse_dataset
from anytime_pruning.datasets.restricted_imagenet import GROUPS
from anytime_pruning.foundation.errors import DataError, SettingError
from anytime_pruning.runs.job import run_stream
from anytime_pruning.settings.run import parse_settings
from anytime_pruning.settings.study import plan_study
from anytime_pruning.stream.megabatches import split_stream

# The folder names of class 0, 1, ... in sorted order. Like the real ones, the numbers are not consecutive.
WNIDS = [f"n{10_000_000 + 7919 * i}" for i in range(1000)]
N_TRAIN, N_VAL = 3, 1


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory):
    """Make images for every class that a set of groups uses; their colours tell their classes and numbers."""
    folder = tmp_path_factory.mktemp("imagenet")
    used = {i for groups in GROUPS.values() for first, last in groups.values() for i in range(first, last + 1)}
    for index, wnid in enumerate(WNIDS):
        for split, count in (("train", N_TRAIN), ("val", N_VAL)):
            (folder / split / wnid).mkdir(parents=True)
            for number in range(count if index in used else 0):
                colour = (index % 256, index // 256, 50 * number + (25 if split == "val" else 0))
                content = encode(Image.new("RGB", (40, 30), colour))
                # The content, and not the suffix .JPEG, decides the format; PNG keeps the colour exactly.
                (folder / split / wnid / f"{wnid}_{number}.JPEG").write_bytes(content)
    # An image that no group uses is not even opened.
    (folder / "train" / WNIDS[500] / "broken.JPEG").write_text("not an image")
    return folder


def read(folder, **settings):
    dataset = parse_dataset({"name": "ours", "source": "restricted_imagenet", "path": str(folder), **settings})
    return dataset.read(folder)


def classes_of(images):
    """Return the ImageNet class of each image, which its colour tells."""
    return images[:, 0, 0, 0].astype(int) + 256 * images[:, 1, 0, 0].astype(int)


@pytest.mark.parametrize(("groups", "n_groups", "n_classes"), [("balanced", 14, 69), ("original", 9, 203)])
def test_groups_are_ranges_of_class_indices(imagenet, groups, n_groups, n_classes):
    arrays = read(imagenet, groups=groups)
    assert arrays.n_classes == n_groups
    assert arrays.train_images.shape == (n_classes * N_TRAIN, 3, 32, 32)
    assert arrays.test_images.shape == (n_classes * N_VAL, 3, 32, 32)
    for images, labels in ((arrays.train_images, arrays.train_labels), (arrays.test_images, arrays.test_labels)):
        for label, (first, last) in enumerate(GROUPS[groups].values()):
            assert sorted(set(classes_of(images[labels == label]))) == list(range(first, last + 1))
    assert (arrays.train_images[:, 2, 0, 0] % 50 == 0).all()  # training images come from train/
    assert (arrays.test_images[:, 2, 0, 0] == 25).all()
    assert arrays.mean == (0.4717, 0.4499, 0.3837)
    assert (arrays.crop_padding, arrays.flip) == (4, True)


def test_the_papers_streams_can_be_cut():
    """Few shots give 120 megabatches of 63 or 10 of 756 images, and the full set gives 3 of 29,839 images."""
    few = parse_dataset({"name": "ours", "source": "restricted_imagenet", "path": "nowhere", "shots": 540})
    for n_images, n_megabatches, size in (
        (few.train_count(), 120, 63),
        (few.train_count(), 10, 756),
        (89_517, 3, 29_839),
    ):
        stream = split_stream(n_images, n_megabatches, 0.1, torch.Generator().manual_seed(0))
        assert {len(part.train) + len(part.valid) for part in stream} == {size}
    # Each of 69 classes has at most 1300 images. With equal groups there would be at most 14 * 4 * 1300 = 72,800, so
    # all images of each group are meant.
    n_classes = [last - first + 1 for first, last in GROUPS["balanced"].values()]
    assert 14 * min(n_classes) * 1300 < 89_517 <= sum(n_classes) * 1300


def test_shots_are_as_many_of_each_group_and_nested(imagenet):
    few, more = (read(imagenet, shots=shots) for shots in (4, 9))
    assert np.bincount(few.train_labels).tolist() == [4] * 14
    assert len(few.test_labels) == 69
    of_few, of_more = ({image.tobytes() for image in arrays.train_images} for arrays in (few, more))
    assert of_few < of_more
    # The shots are spread over the classes of a group.
    assert len(set(classes_of(few.train_images))) > 14 * 2


def test_the_choice_does_not_depend_on_the_place(imagenet, tmp_path):
    copy = shutil.copytree(imagenet, tmp_path / "elsewhere")
    here, there = read(imagenet, shots=4), read(copy, shots=4)
    assert here.content_sha256 == there.content_sha256
    assert (here.train_images == there.train_images).all()


def test_hidden_files_and_folders_are_not_seen(imagenet, tmp_path):
    copy = shutil.copytree(imagenet, tmp_path / "copy")
    for hidden in (copy / "train", copy / "train" / WNIDS[10]):
        (hidden / ".cache").mkdir()
    (copy / "train" / WNIDS[10] / f"._{WNIDS[10]}_0.JPEG").write_bytes(b"what some systems put beside a file")
    assert read(copy, shots=4).content_sha256 == read(imagenet, shots=4).content_sha256


def test_a_name_that_is_no_text_is_drawn_like_any_other(imagenet, tmp_path):
    copy = shutil.copytree(imagenet, tmp_path / "copy")
    first = copy / "train" / WNIDS[10] / f"{WNIDS[10]}_0.JPEG"
    first.rename(os.fsdecode(os.fsencode(first.parent) + b"/\xff.JPEG"))
    here, there = (sorted(image.tobytes() for image in read(folder).train_images) for folder in (copy, imagenet))
    assert here == there
    few = parse_dataset({"name": "ours", "source": "restricted_imagenet", "path": str(copy), "shots": 12})
    assert np.bincount(load_dataset(few, tmp_path).train_labels).tolist() == [12] * 14


def test_groups_and_shots_are_part_of_a_runs_name(imagenet):
    pinned = {"name": "ours", "source": "restricted_imagenet", "path": "nowhere", "content_sha256": "0" * 64}
    digests = {
        parse_settings({"model": "resnet20", "dataset": pinned | changes}).digest()
        for changes in ({}, {"shots": 5}, {"shots": 6}, {"groups": "original"}, {"path": "elsewhere"})
    }
    assert len(digests) == 4  # the location does not matter


def test_a_study_plans_with_it_and_a_run_trains_on_it(imagenet, tmp_path):
    content = read(imagenet, shots=6).content_sha256
    entry = {"source": "restricted_imagenet", "path": str(imagenet), "shots": 6, "content_sha256": content}
    study = {
        "study": "s",
        "execution": {"device": "cpu", "data_dir": str(tmp_path)},
        "datasets": {"restricted": entry},
        "defaults": {"dataset": "restricted", "model": "resnet20", "n_megabatches": 4, "epochs": 1},
        "grid": [{"method": "app"}],
    }
    ((run),) = plan_study(study)[1]
    metrics = run_stream(run.settings, tmp_path / "run")
    assert metrics["data_sha256"] == content
    assert load_dataset(run.settings.dataset, tmp_path).n_classes == 14
    with pytest.raises(DataError, match=f"content_sha256 is {content}, expected 0000"):
        read(imagenet, shots=6, content_sha256="0" * 64)


def test_the_fingerprint_notices_a_changed_file(imagenet, tmp_path):
    copy = shutil.copytree(imagenet, tmp_path / "copy")
    dataset = parse_dataset({"name": "ours", "source": "restricted_imagenet", "path": str(copy)})
    before = dataset.fingerprint()
    assert before == dataset.fingerprint()
    (copy / "train" / WNIDS[500] / "unused.JPEG").write_text("x")
    assert dataset.fingerprint() == before
    next((copy / "val" / WNIDS[10]).iterdir()).write_bytes(b"changed")
    assert dataset.fingerprint() != before


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: shutil.rmtree(folder / "val"), "no folder val/; an ImageNet with"),
        (lambda folder: shutil.rmtree(folder / "train" / WNIDS[7]), "train/ holds 999 class folders; all 1000"),
        (lambda folder: flatten(folder / "val"), "val/ holds 0 class folders; all 1000"),
        (
            lambda folder: (folder / "train" / WNIDS[7]).rename(folder / "train" / "great white shark"),
            "train/great white shark/ is not named by a WordNet ID such as n01440764",
        ),
        (
            lambda folder: (folder / "train" / WNIDS[12] / "images").mkdir(),
            f"train/{WNIDS[12]}/images: lies too deep; images belong in train/{WNIDS[12]}/ itself",
        ),
        (
            lambda folder: (folder / "val" / WNIDS[7]).rename(folder / "val" / "n99999999"),
            f"{WNIDS[7]} is a folder of train/ or",
        ),
        (lambda folder: empty(folder, "val", 10, 14), f"no images of bird in val/{WNIDS[10]}/ to {WNIDS[14]}/"),
        (lambda folder: empty(folder, "train", 10, 13), "dataset.shots: 5 is not allowed: bird has 3 training images"),
        (lambda folder: empty(folder, "train", 10, 14, b"x"), rf"{WNIDS[10]}_\d.JPEG: not a readable image"),
    ],
)
def test_what_is_wrong_with_the_folder_is_named(damage, message, imagenet, tmp_path):
    copy = shutil.copytree(imagenet, tmp_path / "copy")
    damage(copy)
    with pytest.raises(DataError, match=message) as error:
        read(copy, shots=5)
    assert "\n" not in str(error.value)


def flatten(folder):
    """Leave no class folders, as the official archive of the validation images does when unpacked."""
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "ILSVRC2012_val_00000001.JPEG").write_bytes(b"")


def empty(folder, split, first, last, content=None):
    """Remove the images of some classes, or replace their content."""
    for wnid in WNIDS[first : last + 1]:
        for file in (folder / split / wnid).iterdir():
            file.unlink() if content is None else file.write_bytes(content)


def test_wrong_settings_are_named():
    base = {"name": "ours", "source": "restricted_imagenet", "path": "x"}
    for changes, message in (
        ({"groups": "mine"}, "dataset.groups: 'mine' is not allowed: Input should be 'balanced' or 'original'"),
        ({"shots": 0}, "dataset.shots: 0 is not allowed"),
        ({"mean": [0.5]}, "dataset.mean: .* 3 values are expected"),
    ):
        with pytest.raises(SettingError, match=message):
            parse_dataset(base | changes)
