"""Test that nobody trains on the cached images of another place than the one that the settings name."""

import errno
import os
import shutil

import numpy as np
import pytest
from conftest import toy_files
from packed import dataset, pack

from anytime_pruning.cli.main import main
from anytime_pruning.datasets import load_dataset, parse_dataset
from anytime_pruning.datasets.cache import cache_path, is_loadable
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.settings.execution import ExecutionSettings

FILES = toy_files()
OTHER = {name: toy_files(size=9)[name] for name in reversed(FILES)} | {"train/cat/9.png": FILES["test/dog/0.png"]}


@pytest.mark.parametrize("ending", ["", ".zip"])
def test_a_mistyped_path_is_an_error_although_the_cache_is_full(ending, tmp_path):
    path = pack(FILES, tmp_path, ending)
    load_dataset(dataset(path), tmp_path)
    wrong = path.with_name(f"dota{ending}")
    with pytest.raises(DataError, match=rf"dota{ending}: no such folder or archive \(there is data{ending}\)"):
        load_dataset(dataset(wrong), tmp_path)
    assert not is_loadable(dataset(wrong), tmp_path)


def test_a_path_that_becomes_wrong_is_an_error_unless_the_images_are_pinned(tmp_path):
    path = pack(FILES, tmp_path)
    digest = load_dataset(dataset(path), tmp_path).content_sha256
    pinned = dataset(path, content_sha256=digest)
    assert not is_loadable(dataset(tmp_path / "nowhere"), tmp_path)
    load_dataset(pinned, tmp_path)
    shutil.rmtree(path)
    with pytest.raises(DataError, match="no such folder or archive"):
        load_dataset(dataset(path), tmp_path)
    assert is_loadable(pinned, tmp_path)
    assert not is_loadable(dataset(path), tmp_path)
    for there in (pinned, dataset(tmp_path / "nowhere", content_sha256=digest)):
        assert len(load_dataset(there, tmp_path).train_images) == 8


def test_a_pinned_cache_with_other_images_is_not_used(tmp_path, capsys):
    """Somebody may have copied or renamed a file of the cache."""
    path, other = pack(FILES, tmp_path / "a"), pack(OTHER, tmp_path / "b")
    digest = load_dataset(dataset(path), tmp_path).content_sha256
    load_dataset(dataset(other), tmp_path)
    pinned = dataset(path, content_sha256=digest)
    shutil.copy(cache_path(dataset(other), tmp_path), cache_path(pinned, tmp_path))
    assert len(load_dataset(pinned, tmp_path).train_images) == 8
    assert "was made from other source files; making it again" in capsys.readouterr().err


@pytest.mark.parametrize("before", ["nothing", "a damaged cache", "the same images"])
def test_what_prepare_decodes_is_found_by_its_digest_although_the_source_is_gone(before, tmp_path):
    path = pack(FILES, tmp_path)
    content = dataset(path).read(tmp_path).content_sha256
    pinned = dataset(path, content_sha256=content)
    if before != "nothing":
        load_dataset(pinned, tmp_path)
    if before == "a damaged cache":
        cache_path(pinned, tmp_path).write_bytes(b"damaged")
    assert load_dataset(dataset(path), tmp_path).content_sha256 == content
    assert os.path.samefile(cache_path(pinned, tmp_path), cache_path(dataset(path), tmp_path))
    shutil.rmtree(path)
    assert len(load_dataset(pinned, tmp_path).train_images) == 8
    assert not list((tmp_path / "cache").glob(".*"))


def test_a_file_system_without_links_keeps_two_caches(tmp_path, monkeypatch):
    def refuse(*given):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    path = pack(FILES, tmp_path)
    content = load_dataset(dataset(path), tmp_path).content_sha256
    assert load_dataset(dataset(path, content_sha256=content), tmp_path).content_sha256 == content
    assert len(list((tmp_path / "cache").glob("*.safetensors"))) == 2


def test_two_places_of_one_name_have_two_caches(tmp_path):
    paths = [pack(FILES, tmp_path / "a", ".tar"), pack(OTHER, tmp_path / "b", ".tar")]
    # Equal sizes and times would deceive a fingerprint.
    for path in paths:
        path.write_bytes(path.read_bytes().ljust(10**6, b"\0"))
        os.utime(path, (1, 1))
    for _ in range(2):
        assert [len(load_dataset(dataset(path), tmp_path).train_images) for path in paths] == [8, 9]
    # Each has a second name, by its digest.
    names = list((tmp_path / "cache").glob("*.safetensors"))
    assert (len(names), len({name.stat().st_ino for name in names})) == (4, 2)


def test_a_relative_path_is_that_of_the_working_folder(tmp_path, monkeypatch):
    for name, files in (("a", FILES), ("b", OTHER)):
        pack(files, tmp_path / name)
    counts = []
    for name in ("a", "b", "a"):
        monkeypatch.chdir(tmp_path / name)
        counts.append(len(load_dataset(dataset("data"), tmp_path).train_images))
    assert counts == [8, 9, 8]


def test_a_link_that_is_turned_leads_to_other_images(tmp_path):
    for name, files in (("a", FILES), ("b", OTHER)):
        pack(files, tmp_path / name)
        (tmp_path / "current").unlink(missing_ok=True)
        (tmp_path / "current").symlink_to(tmp_path / name / "data")
        read = load_dataset(dataset(tmp_path / "current"), tmp_path)
        assert len(read.train_images) == len([name for name in files if "train" in name])


def test_the_place_is_no_part_of_the_name_of_pinned_images(tmp_path):
    """A study's cache is the same file in a container and on another machine."""
    here, there = (cache_path(dataset(place, content_sha256="0" * 64), tmp_path) for place in ("/a", "b/c"))
    assert here == there
    assert cache_path(dataset("/a"), tmp_path) != cache_path(dataset("/b"), tmp_path)
    assert parse_dataset({"name": "x", "source": "image_folder", "path": "/a"}).identity() == (
        parse_dataset({"name": "x", "source": "image_folder", "path": "/b"}).identity()
    )


def test_files_that_change_while_they_are_read_are_read_again(tmp_path, monkeypatch):
    path = pack(FILES, tmp_path)
    source = type(dataset(path))
    read = source.read

    def read_and_change(self, data_dir):
        arrays = read(self, data_dir)
        (path / "train" / "cat" / "late.png").write_bytes(FILES["test/cat/0.png"])
        return arrays

    with monkeypatch.context() as patch:
        patch.setattr(source, "read", read_and_change)
        with pytest.raises(DataError, match="made from other source files"):
            load_dataset(dataset(path), tmp_path)
    assert len(load_dataset(dataset(path), tmp_path).train_images) == 9


def test_imagenet_without_its_folders_is_an_error_although_a_cache_is_there(tmp_path):
    wrong = parse_dataset({"name": "x", "source": "restricted_imagenet", "path": str(tmp_path / "nowhere")})
    with pytest.raises(DataError, match="no folder train/"):
        wrong.fingerprint()


def test_a_tilde_is_the_home_in_every_path(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    pack(FILES, tmp_path / "images")
    monkeypatch.chdir(tmp_path / "images")
    command = ["prepare", "{name: toy, source: image_folder, path: ~/images/data}", "--data-dir=~/decoded"]
    assert main(command) == 0
    assert {path.parent.parent for path in (tmp_path / "decoded").rglob("*.safetensors")} == {tmp_path / "decoded"}
    assert ExecutionSettings(data_dir="~/x").data_dir == tmp_path / "x"
    for option in (["prepare", "digits"], ["verify", "."]):
        assert main([*option, "--data-dir=~nobody-of-this-name/x"]) == 2
        assert capsys.readouterr().err.startswith("error: data_dir: '~nobody-of-this-name/x' is not allowed: a path ")
    assert np.array_equal(*(load_dataset(dataset(path), tmp_path).test_images for path in ("~/images/data", "data")))
