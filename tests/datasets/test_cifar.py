"""Test that CIFAR is read from official archives and from image files, and recognised by its content."""

import dataclasses
import hashlib
import io
import os
import pickle
import shutil
import tarfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from conftest import encode
from PIL import Image

from anytime_pruning import run_stream
from anytime_pruning.datasets import DatasetSettings, load_dataset, parse_dataset
from anytime_pruning.datasets.cache import cache_path
from anytime_pruning.datasets.pixel_statistics import count_test_images_in_train
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.settings.run import parse_settings


def make_images(count, classes, rng):
    """Return images uint8 [count, 3, 32, 32] and labels."""
    return rng.integers(0, 256, (count, 3, 32, 32), np.uint8), [i % classes for i in range(count)]


def write_official(folder, kind, train, test):
    """Write a small archive in CIFAR's format, pickles in a tar.gz, and return the attributes that describe it."""
    is_ten = kind == "CIFAR10"
    base = "cifar-10-batches-py" if is_ten else "cifar-100-python"
    meta = "batches.meta" if is_ten else "meta"
    label_key, names_key = ("labels", "label_names") if is_ten else ("fine_labels", "fine_label_names")

    def batch(images, labels):
        return pickle.dumps({"data": images.reshape(len(images), -1), label_key: labels})

    members = {
        "train": batch(*train),
        "test": batch(*test),
        meta: pickle.dumps({names_key: [f"c{i}" for i in range(10 if is_ten else 100)]}),
    }
    archive = folder / f"{base}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(f"{base}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    md5 = {name: hashlib.md5(content).hexdigest() for name, content in members.items()}
    return {
        "filename": archive.name,
        "tgz_md5": hashlib.md5(archive.read_bytes()).hexdigest(),
        "url": "file:///nowhere/archive.tar.gz",
        "train_list": [["train", md5["train"]]],
        "test_list": [["test", md5["test"]]],
        "meta": {"filename": meta, "key": names_key, "md5": md5[meta]},
    }


def digest_of_set(images, labels):
    """Compute the digest of a set as docs describe it, apart from the code under test."""
    each = [hashlib.sha256(bytes([y, 0, 0, 0, 0, 0, 0, 0]) + x.tobytes()).digest() for x, y in zip(images, labels)]
    return hashlib.sha256(b"".join(sorted(each))).digest()


@dataclass
class SmallCifar:
    """Holds a small CIFAR: its settings, its official archive, and its training and test images with labels."""

    dataset: DatasetSettings
    archive: Path
    train: tuple[np.ndarray, list[int]]
    test: tuple[np.ndarray, list[int]]

    def write_folder(self, folder, class_names=None, encode=encode):
        """Write the images as files whose names have nothing to do with their order in the archive."""
        names = class_names or type(self.dataset).class_names
        for split, (images, labels) in (("train", self.train), ("test", self.test)):
            for name in names:
                (folder / split / name).mkdir(parents=True, exist_ok=True)
            for number, (image, label) in enumerate(zip(images, labels)):
                path = folder / split / names[label] / f"{(number * 7) % 1000:03}.png"
                path.write_bytes(encode(Image.fromarray(image.transpose(1, 2, 0))))
        return folder

    def read_from(self, path, data_dir):
        return load_dataset(parse_dataset({"source": self.dataset.source, "path": str(path)}), data_dir)


@pytest.fixture(params=["CIFAR10", "CIFAR100"])
def small_cifar(request, tmp_path, monkeypatch):
    """Make the project and torchvision expect a small CIFAR, whose official archive is in tmp_path."""
    from anytime_pruning.foundation.torch_fixes.torchvision_shim import import_torchvision

    rng = np.random.default_rng(0)
    classes = 10 if request.param == "CIFAR10" else 100
    train, test = make_images(2 * classes, classes, rng), make_images(classes, classes, rng)
    kind = getattr(import_torchvision().datasets, request.param)
    attributes = write_official(tmp_path, request.param, train, test)
    for name, value in attributes.items():
        monkeypatch.setattr(kind, name, value)
    dataset = parse_dataset(request.param.lower())
    digest = hashlib.sha256(digest_of_set(*train) + digest_of_set(*test)).hexdigest()
    monkeypatch.setattr(type(dataset), "content_sha256", digest)
    monkeypatch.setattr(type(dataset), "channel_sums", tuple(int(n) for n in train[0].sum(axis=(0, 2, 3))))
    monkeypatch.setattr(type(dataset), "train_count", lambda self: len(train[0]))
    return SmallCifar(dataset, tmp_path / attributes["filename"], train, test)


def test_cifar_is_read_from_its_verified_archive(small_cifar, tmp_path):
    dataset = small_cifar.dataset
    arrays = load_dataset(dataset, tmp_path)
    classes = 10 if dataset.name == "cifar10" else 100
    assert arrays.train_images.shape == (2 * classes, 3, 32, 32)
    assert arrays.test_images.shape == (classes, 3, 32, 32)
    assert arrays.n_classes == classes
    assert (arrays.crop_padding, arrays.flip) == (4, True)
    assert arrays.mean[0] == (0.4914 if dataset.name == "cifar10" else 0.5071)


def test_a_corrupt_cifar_archive_is_never_unpickled(small_cifar, tmp_path, monkeypatch):
    dataset, archive = small_cifar.dataset, small_cifar.archive
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    monkeypatch.setattr(pickle, "load", lambda *args, **kwargs: pytest.fail("unpickled"))
    with pytest.raises(DataError, match=r"tar.gz: the archive is corrupt: MD5 \w{32}, expected \w{32}; delete it"):
        load_dataset(dataset, tmp_path)
    assert not list((tmp_path / "cache").glob("*.safetensors"))


def test_a_cifar_archive_that_cannot_be_downloaded_is_named(small_cifar, tmp_path):
    dataset, archive = small_cifar.dataset, small_cifar.archive
    archive.unlink()
    with pytest.raises(
        DataError, match=r"missing and not downloaded .*put the official cifar-10.*tar.gz \(MD5 \w{32}\) in"
    ):
        load_dataset(dataset, tmp_path)
    assert not archive.exists()


def test_tampered_unpacked_cifar_files_are_never_unpickled(small_cifar, tmp_path, monkeypatch):
    dataset, archive = small_cifar.dataset, small_cifar.archive
    load_dataset(dataset, tmp_path)
    cache_path(dataset, tmp_path).unlink()
    archive.unlink()
    (tmp_path / archive.name.removesuffix(".tar.gz") / "train").write_bytes(pickle.dumps({"data": "evil"}))
    monkeypatch.setattr(pickle, "load", lambda *args, **kwargs: pytest.fail("unpickled"))
    with pytest.raises(DataError, match="missing and not downloaded"):
        load_dataset(dataset, tmp_path)


def as_pairs(images, labels):
    return sorted((int(label), image.tobytes()) for image, label in zip(images, labels))


@pytest.mark.parametrize("naming", ["official names", "numbers", "other spelling"])
def test_image_files_of_the_same_images_are_the_same_dataset(naming, small_cifar, tmp_path):
    official = load_dataset(small_cifar.dataset, tmp_path)
    names = list(official.class_names)
    if naming == "numbers":
        names = [str(label) for label in range(official.n_classes)]
    elif naming == "other spelling":
        names = [name.title().replace("_", " ") for name in names]
    folder = small_cifar.write_folder(tmp_path / "files", names)
    files = small_cifar.read_from(folder, tmp_path / "b")
    for name in ("train_images", "train_labels", "test_images", "test_labels"):
        assert np.array_equal(getattr(files, name), getattr(official, name)), name
    assert files == dataclasses.replace(
        official,
        **{name: getattr(files, name) for name in ("train_images", "train_labels", "test_images", "test_labels")},
    )
    assert as_pairs(files.train_images, files.train_labels) == as_pairs(*small_cifar.train)
    assert as_pairs(files.test_images, files.test_labels) == as_pairs(*small_cifar.test)
    # The order is not that of the archive, nor is it sorted by class.
    assert files.train_labels.tolist() not in (small_cifar.train[1], sorted(small_cifar.train[1]))


def test_either_source_gives_the_same_run_and_the_same_cache(small_cifar, tmp_path):
    folder = small_cifar.write_folder(tmp_path / "files")
    settings = {"model": "resnet20", "n_megabatches": 2, "epochs": 1, "batch_size": 4, "lr_milestones": [], "lr": 0.01}
    runs = {}
    for source, path in (("official", None), ("files", str(folder))):
        dataset = {"source": small_cifar.dataset.source, **({"path": path} if path else {})}
        data_dir = small_cifar.archive.parent if source == "official" else tmp_path / "files data"
        run = settings | {"dataset": dataset, "execution": {"data_dir": str(data_dir), "threads": 1}}
        runs[source] = run_stream(run, tmp_path / "out" / source)["final"], parse_settings(run).digest()
        weights = (tmp_path / "out" / source / "weights.safetensors").read_bytes()
        runs[source] += (hashlib.sha256(weights).hexdigest(),)
    assert runs["official"] == runs["files"]
    caches = [folder / "cache" for folder in (small_cifar.archive.parent, tmp_path / "files data")]
    assert len({next(cache.glob("*.safetensors")).name for cache in caches}) == 1


def test_other_pixels_are_refused_by_name(small_cifar, tmp_path):
    folder = small_cifar.write_folder(tmp_path / "files", encode=partial(encode, kind="JPEG"))
    title = small_cifar.dataset.source.replace("cifar", "CIFAR-")
    with pytest.raises(DataError, match=f"files: these are not {title}'s pixels: use an image folder of your own name"):
        small_cifar.read_from(folder, tmp_path / "data")
    assert not list((tmp_path / "data" / "cache").glob("*.safetensors"))


WRONG_PLACE = "the training pixels sum up to CIFAR-.*'s, but some images are in the wrong class, or test images differ"


def swap_files(first, second):
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


@pytest.mark.parametrize(
    "change", ["two labels", "one pixel", "a test pixel", "a file less", "a file more", "between the splits"]
)
def test_every_difference_is_noticed(change, small_cifar, tmp_path):
    folder = small_cifar.write_folder(tmp_path / "files")
    classes = sorted((folder / "train").iterdir())
    first, second = (sorted(place.iterdir())[0] for place in classes[:2])
    expected = "these are not CIFAR-"
    if change == "two labels":
        swap_files(first, second)
        expected = WRONG_PLACE
    elif "pixel" in change:
        if change == "a test pixel":
            first, expected = next((folder / "test" / classes[0].name).iterdir()), WRONG_PLACE
        pixels = np.array(Image.open(first))
        pixels[0, 0, 0] ^= 1
        first.write_bytes(encode(Image.fromarray(pixels)))
    elif change == "a file less":
        first.unlink()
    elif change == "a file more":
        first.with_name("more.png").write_bytes(first.read_bytes())
    else:
        swap_files(first, next((folder / "test" / classes[0].name).iterdir()))
    with pytest.raises(DataError, match=expected):
        small_cifar.read_from(folder, tmp_path / "data")


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        ({0: "aeroplane"}, "'aeroplane' is no class of this dataset; its folders are called "),
        ({0: "999"}, "'999' is no class of this dataset"),
    ],
)
def test_folders_of_other_classes_are_named(rename, message, small_cifar, tmp_path):
    names = list(type(small_cifar.dataset).class_names)
    for label, name in rename.items():
        names[label] = name
    folder = small_cifar.write_folder(tmp_path / "files", names)
    with pytest.raises(DataError, match=message):
        small_cifar.read_from(folder, tmp_path / "data")


def test_two_folders_of_one_class_are_named(small_cifar, tmp_path):
    folder = small_cifar.write_folder(tmp_path / "files")
    name = type(small_cifar.dataset).class_names[1]
    shutil.copytree(folder / "train" / name, folder / "train" / name.upper())
    shutil.copytree(folder / "test" / name, folder / "test" / name.upper())
    with pytest.raises(DataError, match=rf"files: two folders are the class {name}"):
        small_cifar.read_from(folder, tmp_path / "data")


def test_a_missing_class_is_named(small_cifar, tmp_path):
    folder = small_cifar.write_folder(tmp_path / "files")
    name = type(small_cifar.dataset).class_names[3]
    for split in ("train", "test"):
        shutil.rmtree(folder / split / name)
    with pytest.raises(DataError, match=rf"files: no folder of class {name} \(label 3\)"):
        small_cifar.read_from(folder, tmp_path / "data")


def test_a_path_that_does_not_exist_is_not_there(small_cifar, tmp_path):
    settings = {"source": small_cifar.dataset.source, "path": str(tmp_path / "nowhere")}
    assert not parse_dataset(settings).is_there(tmp_path)
    with pytest.raises(DataError, match="nowhere: no such folder or archive"):
        load_dataset(parse_dataset(settings), tmp_path / "data")


def test_the_digest_of_the_images_is_part_of_the_identity_and_their_place_is_not():
    plain = parse_dataset("cifar10").identity()
    assert plain == parse_dataset({"source": "cifar10", "path": "/anywhere"}).identity()
    assert plain["content_sha256"] == "cb4f9c8a05f08f14b1b9b43b8c6c4b877c55ba9236381e93701e6b47c10942c3"
    assert parse_dataset("cifar100").identity()["content_sha256"].startswith("cb8e83a53fdb301e")


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_the_real_images_are_recognised(name, tmp_path):
    """Needs the variable CIFAR_DIR: a folder with official archives, or with <name> or <name>.tar.xz of image files."""
    folder = Path(os.environ.get("CIFAR_DIR", "/nonexistent"))
    dataset = parse_dataset(name)
    found = [folder / ending for ending in (name, f"{name}.tar.xz") if (folder / ending).exists()]
    sources = [parse_dataset({"source": name, "path": str(path)}) for path in found]
    read = [source.read(folder) for source in [*sources, *([dataset] if dataset.is_there(folder) else [])]]
    if not read:
        pytest.skip("CIFAR_DIR does not lead to these images")
    for arrays in read:
        assert np.array_equal(arrays.train_images, read[0].train_images)
        assert np.array_equal(arrays.train_labels, read[0].train_labels)
        counts = np.bincount(arrays.train_labels)
        assert set(counts) == {50_000 // arrays.n_classes}
        assert count_test_images_in_train(arrays.train_images, arrays.test_images) == (0 if name == "cifar10" else 10)
