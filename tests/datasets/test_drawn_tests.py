"""Test `test_frac`, which draws the test images of classes that have no splits."""

import hashlib

import numpy as np
import pytest
from conftest import encode
from packed import dataset, outcome, pack
from PIL import Image

from anytime_pruning.datasets import parse_dataset
from anytime_pruning.datasets.layouts.draw import choose_tests
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.settings.run import parse_settings


def picture(value):
    return encode(Image.fromarray(np.full((6, 6, 3), value, np.uint8)))


FILES = {f"{kind}/{i}.png": picture(100 * label + i) for label, kind in enumerate(("cat", "dog")) for i in range(20)}


def values(images):
    return {int(value) for value in images[:, 0, 0, 0]}


@pytest.mark.parametrize("ending", ["", ".zip", ".tar.gz", ".TBZ2"])
@pytest.mark.parametrize("folder", ["", "flowers/", "train/", "test/"])
def test_each_class_is_divided_alike_in_folders_and_archives(folder, ending, tmp_path):
    expected = outcome(pack(FILES, tmp_path / "plain"), test_frac=0.25)
    files = {folder + name: data for name, data in reversed(FILES.items())}
    path = pack(files, tmp_path / "other", ending)
    assert outcome(path, test_frac=0.25) == expected
    read = dataset(path, test_frac=0.25).read(tmp_path)
    assert np.bincount(read.train_labels).tolist() == [15, 15]
    assert np.bincount(read.test_labels).tolist() == [5, 5]
    assert values(read.train_images) | values(read.test_images) == {*range(20), *range(100, 120)}
    assert not values(read.train_images) & values(read.test_images)


def test_the_draw_is_that_of_the_contents_whatever_the_names(tmp_path):
    first = dataset(pack(FILES, tmp_path / "a"), test_frac=0.25).read(tmp_path)
    renamed = {name.replace(".png", "-x.png").replace("/1", "/z"): data for name, data in FILES.items()}
    other = dataset(pack(renamed, tmp_path / "b"), test_frac=0.25).read(tmp_path)
    assert values(first.test_images) == values(other.test_images)


def test_a_larger_share_keeps_the_images_of_a_smaller_one(tmp_path):
    path = pack(FILES, tmp_path)
    few, more = (values(dataset(path, test_frac=share).read(tmp_path).test_images) for share in (0.1, 0.5))
    assert few < more


def test_the_draw_is_not_the_order_of_the_files(tmp_path):
    drawn = values(dataset(pack(FILES, tmp_path), test_frac=0.5).read(tmp_path).test_images)
    assert drawn & set(range(10))
    assert drawn & set(range(10, 20))


def test_the_digest_is_that_of_the_same_images_in_train_and_test(tmp_path):
    read = dataset(pack(FILES, tmp_path / "drawn"), test_frac=0.25).read(tmp_path)
    drawn = values(read.test_images)
    split = {
        f"{'test' if 100 * ('dog' in name) + int(name.split('/')[1][:-4]) in drawn else 'train'}/{name}": data
        for name, data in FILES.items()
    }
    assert dataset(pack(split, tmp_path / "split")).read(tmp_path).content_sha256 == read.content_sha256
    pinned = {"test_frac": 0.25, "content_sha256": read.content_sha256}
    assert not isinstance(outcome(tmp_path / "drawn" / "data", **pinned), str)
    assert "content_sha256 is" in outcome(tmp_path / "drawn" / "data", **pinned | {"test_frac": 0.5})


def test_the_share_is_part_of_a_runs_name_and_its_absence_is_not():
    def digest(**more):
        toy = {"name": "toy", "source": "image_folder", "path": "nowhere", "content_sha256": "0" * 64} | more
        return parse_settings({"dataset": toy, "model": "resnet20"}).digest()

    assert len({digest(), digest(test_frac=0.2), digest(test_frac=0.3)}) == 3
    assert digest(test_frac=None) == digest()
    assert "test_frac" not in parse_dataset({"name": "toy", "source": "image_folder", "path": "x"}).identity()


def contents(*digests):
    return {str(i): hashlib.sha256(bytes([digest])).digest() for i, digest in enumerate(digests)}


def test_equal_files_stay_on_one_side():
    for first in range(20):
        files = contents(*(first + i // 2 for i in range(10)))
        tests = choose_tests(files, 0.4)
        assert len(tests) == 4
        assert not {files[name] for name in tests} & {files[name] for name in files.keys() - tests}


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_both_sides_have_an_image(share):
    for count in (2, 3, 10):
        assert 1 <= len(choose_tests(contents(*range(count)), share)) <= count - 1


def test_a_class_of_one_image_is_named(tmp_path):
    files = FILES | {"emu/0.png": picture(7), "emu/copy.png": picture(7)}
    assert outcome(pack(files, tmp_path), test_frac=0.2) == (
        "PATH: one image in emu/; test_frac needs at least 2 different ones to divide"
    )


def test_an_empty_class_is_named(tmp_path):
    message = outcome(pack(FILES | {"emu/": b""}, tmp_path), test_frac=0.2)
    assert message == "PATH: no images in emu/; every class needs some"


@pytest.mark.parametrize("ending", ["", ".tar"])
@pytest.mark.parametrize("test", ["test", "val"])
def test_images_with_splits_need_no_share(test, ending, tmp_path):
    files = {f"{split}/{name}": data for split in ("train", test) for name, data in FILES.items()}
    assert outcome(pack(files, tmp_path, ending), test_frac=0.2) == (
        f"dataset.test_frac: 0.2 is not allowed: PATH has train/ and {test}/; remove the setting"
    )


def test_training_images_alone_can_be_divided_and_the_rest_is_said(tmp_path):
    files = {f"train/{name}": data for name, data in FILES.items()} | {"test/1.png": picture(1)}
    read = dataset(pack(files, tmp_path), test_frac=0.25).read(tmp_path)
    assert (len(read.train_images), len(read.test_images)) == (30, 10)
    assert read.notes == ("left out: 1 image in test/",)


def test_a_class_may_be_called_train_or_test(tmp_path):
    for name in ("train", "Test", "val"):
        files = {file.replace("dog/", f"{name}/"): data for file, data in FILES.items()}
        path = pack(files, tmp_path / name)
        assert f"found the classes {', '.join(sorted(('cat/', f'{name}/')))}, but no train/ and test/" in outcome(path)
        assert set(dataset(path, test_frac=0.25).read(tmp_path).class_names) == {"cat", name}


def test_loose_images_in_train_and_test_are_no_two_classes(tmp_path):
    files = {file.replace("cat/", "train/").replace("dog/", "test/"): data for file, data in FILES.items()}
    message = outcome(pack(files, tmp_path), test_frac=0.25)
    assert message == "PATH: 0 class folders in train/, and 20 loose files in train/; at least 2 are needed"


@pytest.mark.parametrize("share", [0, 1, -0.5, 2, "much", True, float("nan")])
def test_a_share_is_between_0_and_1(share):
    with pytest.raises(SettingError, match=r"^dataset\.test_frac: .* is not allowed"):
        dataset("nowhere", test_frac=share)
