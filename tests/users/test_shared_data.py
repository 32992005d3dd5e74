"""Test a folder of data that several users or checkouts share."""

import os

import pytest
from conftest import toy_files, write_folder
from other_users import ALICE, BOB, GROUP, as_root, for_all, run_as  # noqa: F401
from packed import dataset, pack

from anytime_pruning.datasets import load_dataset, parse_dataset
from anytime_pruning.datasets.cache import cache_path, is_loadable
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.foundation.locks.holders import name_of_user
from anytime_pruning.foundation.locks.locks import Lock


@pytest.fixture
def images(for_all):  # noqa: F811
    """Return a dataset that every user can read, wherever the packages of this environment lie."""
    place = {"name": "toy", "source": "image_folder", "path": str(write_folder(toy_files(), for_all / "images"))}
    # Whatever has to be imported is imported now, because other users may not read the environment.
    loaded = load_dataset(parse_dataset(place), for_all / "imports")
    return parse_dataset(place | {"content_sha256": loaded.content_sha256})


@pytest.fixture
def data(for_all):  # noqa: F811
    folder = for_all / "data"
    folder.mkdir()
    os.chown(folder, ALICE, GROUP)
    return folder


@pytest.fixture
def load_as(images, data):
    """Return a function that loads the dataset as another user, and returns its digest or the error."""
    return lambda uid, umask=0o022: run_as(uid, lambda: load_dataset(images, data).content_sha256, umask)


def test_a_cache_is_read_while_another_process_holds_its_lock(images, tmp_path):
    load_dataset(images, tmp_path)
    lock = Lock(cache_path(images, tmp_path).with_suffix(".lock"), "a lock that is never released")
    assert lock.take()
    assert load_dataset(images, tmp_path).content_sha256
    lock.release()


@as_root
def test_the_cache_of_another_user_is_read(load_as, images, data):
    digest = load_as(ALICE)
    assert load_as(BOB) == digest
    assert cache_path(images, data).stat().st_uid == ALICE


@as_root
@pytest.mark.parametrize("umask", [0o002, 0o022, 0o077])
def test_a_folder_of_a_group_serves_all_of_it_whatever_the_umask(umask, load_as, images, data):
    data.chmod(0o2770)
    digest = load_as(ALICE, umask)
    assert load_as(BOB) == digest
    cache_path(images, data).write_bytes(b"damaged")
    assert load_as(BOB, umask) == digest
    assert cache_path(images, data).stat().st_uid == BOB
    assert load_as(ALICE) == digest


@as_root
@pytest.mark.parametrize("private", ["the folder", "the file"])
def test_what_another_user_keeps_private_is_one_line_and_stays(private, load_as, images, data):
    load_as(ALICE)
    path = cache_path(images, data)
    refused = {"the folder": path.parent, "the file": path}[private]
    refused.chmod(0o700 if refused.is_dir() else 0o600)
    before = path.read_bytes()
    errors = [load_as(BOB)]
    if refused.is_dir():
        errors.append(run_as(BOB, lambda: is_loadable(images, data)))
    for error in errors:
        assert isinstance(error, DataError)
        assert f"permission denied: {refused} belongs to user {ALICE}, mode " in str(error)
        assert "name a folder of yours (execution.data_dir" in str(error)
    assert path.read_bytes() == before


@as_root
@pytest.mark.parametrize(
    ("ending", "name"),
    [(".tar", ""), (".zip", ""), ("", "train/cat/0.png"), ("", "train/cat"), ("", "train"), ("", "")],
)
def test_images_that_another_user_keeps_private_are_not_called_damaged(ending, name, for_all, data, images):  # noqa: F811
    path = pack(toy_files(), for_all / "theirs", ending)
    refused = path / name
    refused.chmod(0o700 if refused.is_dir() else 0o600)
    data.chmod(0o777)
    error = run_as(BOB, lambda: load_dataset(dataset(path), data))
    assert isinstance(error, DataError)
    assert f"{refused} belongs to {name_of_user(0)}, mode {'7' if refused.is_dir() else '6'}00" in str(error)
    assert "ermission denied" in str(error)
