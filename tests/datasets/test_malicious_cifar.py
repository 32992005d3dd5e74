"""Test that unofficial files of CIFAR, which are pickles, are refused before anything in them is executed."""

import pickle
import re
import subprocess
import tarfile
from pathlib import Path

import pytest
from datasets.test_cifar import small_cifar  # noqa: F401

from anytime_pruning.datasets import load_dataset
from anytime_pruning.datasets.cifar import official
from anytime_pruning.foundation.errors import DataError


class Malicious:
    """Create a file when the pickle of this object is loaded."""

    def __init__(self, proof: Path):
        self.proof = proof

    def __reduce__(self):
        return open, (str(self.proof), "w")


@pytest.fixture
def malicious(tmp_path):
    """Return a malicious pickle that has been tried out once, and the file that must not appear."""
    proof = tmp_path / "executed"
    content = pickle.dumps(Malicious(proof))
    pickle.loads(content).close()
    proof.unlink()
    return content, proof


def plant(archive: Path, where: str, content: bytes) -> None:
    """Put a malicious file into the archive, into the folder of its unpacked files, or into both."""
    folder = archive.parent / archive.name.removesuffix(".tar.gz")
    subprocess.run(["tar", "-xzf", archive, "-C", archive.parent], check=True)
    (file,) = re.findall("train|test|meta", where)
    path = next(path for path in folder.iterdir() if path.name.endswith(file))
    path.write_bytes(content)
    if "archive" in where:
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(folder, folder.name)
    if "folder" not in where:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    if "alone" in where:
        archive.unlink()


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("train in the archive", "the archive is corrupt: MD5"),
        ("meta in the archive", "the archive is corrupt: MD5"),
        ("train in archive and folder", "the archive is corrupt: MD5"),
        ("test in archive and folder", "the archive is corrupt: MD5"),
        ("meta in archive and folder", "the archive is corrupt: MD5"),
        ("train in the folder alone", "missing and not downloaded"),
        ("test in the folder alone", "missing and not downloaded"),
        ("meta in the folder alone", "missing and not downloaded"),
    ],
)
def test_a_malicious_cifar_is_refused_before_it_is_loaded(where, message, small_cifar, malicious, tmp_path):  # noqa: F811
    dataset, archive = small_cifar.dataset, small_cifar.archive
    content, proof = malicious
    plant(archive, where, content)
    with pytest.raises(DataError, match=message):
        load_dataset(dataset, tmp_path)
    assert not proof.exists()
    assert not list((tmp_path / "cache").glob("*.safetensors"))


@pytest.mark.parametrize("file", ["train", "test", "meta"])
def test_a_malicious_folder_beside_the_right_archive_is_unpacked_again(file, small_cifar, malicious, tmp_path):  # noqa: F811
    dataset, archive = small_cifar.dataset, small_cifar.archive
    content, proof = malicious
    plant(archive, f"{file} in the folder", content)
    assert load_dataset(dataset, tmp_path).train_images.shape == small_cifar.train[0].shape
    assert not proof.exists()


def test_without_the_checksums_it_would_be_executed(small_cifar, malicious, tmp_path, monkeypatch):  # noqa: F811
    """This shows that the tests above pass because of the checksums."""
    from anytime_pruning.foundation.torch_fixes.torchvision_shim import import_torchvision

    dataset, archive = small_cifar.dataset, small_cifar.archive
    content, proof = malicious
    plant(archive, "train in the folder", content)
    kind = getattr(import_torchvision().datasets, dataset.name.upper())
    monkeypatch.setattr(official, "is_whole", lambda kind, data_dir: True)
    monkeypatch.setattr(kind, "_check_integrity", lambda self: True)
    with pytest.raises(TypeError):
        load_dataset(dataset, tmp_path)
    assert proof.exists()
