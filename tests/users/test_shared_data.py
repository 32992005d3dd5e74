"""Test a folder of data that several users or checkouts share."""

import os

import pytest
from other_users import ALICE, BOB, GROUP, as_root, for_all, run_as  # noqa: F401

from anytime_pruning.datasets import load_dataset, parse_dataset
from anytime_pruning.datasets.cache import cache_path, is_loadable
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.foundation.locks.locks import Lock

DIGITS = parse_dataset("digits")


@pytest.fixture
def data(for_all):  # noqa: F811
    folder = for_all / "data"
    folder.mkdir()
    os.chown(folder, ALICE, GROUP)
    load_dataset(DIGITS, for_all / "imports")  # whatever has to be imported is imported now, as another user may not
    return folder


def load_as(uid, data, umask=0o022):
    """Load the digits as another user; return their digest, or the error."""
    return run_as(uid, lambda: load_dataset(DIGITS, data).content_sha256, umask)


def test_a_cache_is_read_while_another_process_holds_its_lock(tmp_path):
    load_dataset(DIGITS, tmp_path)
    lock = Lock(cache_path(DIGITS, tmp_path).with_suffix(".lock"), "a lock that is never released")
    assert lock.take()
    assert load_dataset(DIGITS, tmp_path).content_sha256
    lock.release()


@as_root
def test_the_cache_of_another_user_is_read(data):
    digest = load_as(ALICE, data)
    assert load_as(BOB, data) == digest
    assert cache_path(DIGITS, data).stat().st_uid == ALICE


@as_root
@pytest.mark.parametrize("umask", [0o002, 0o022, 0o077])
def test_a_folder_of_a_group_serves_all_of_it_whatever_the_umask(umask, data):
    data.chmod(0o2770)
    digest = load_as(ALICE, data, umask)
    assert load_as(BOB, data) == digest
    cache_path(DIGITS, data).write_bytes(b"damaged")
    assert load_as(BOB, data, umask) == digest
    assert cache_path(DIGITS, data).stat().st_uid == BOB
    assert load_as(ALICE, data) == digest


@as_root
@pytest.mark.parametrize("private", ["the folder", "the file"])
def test_what_another_user_keeps_private_is_one_line_and_stays(private, data):
    load_as(ALICE, data)
    path = cache_path(DIGITS, data)
    refused = {"the folder": path.parent, "the file": path}[private]
    refused.chmod(0o700 if refused.is_dir() else 0o600)
    before = path.read_bytes()
    errors = [load_as(BOB, data)]
    if refused.is_dir():
        errors.append(run_as(BOB, lambda: is_loadable(DIGITS, data)))
    for error in errors:
        assert isinstance(error, DataError)
        assert f"permission denied: {refused} belongs to user {ALICE}, mode " in str(error)
        assert "name a folder of yours (execution.data_dir" in str(error)
    assert path.read_bytes() == before
