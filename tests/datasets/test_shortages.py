"""Test that a lack of memory, threads or open files is said in one line, and is never taken for damaged data."""

import errno
import threading
from pathlib import Path

import pytest
from conftest import toy_files
from packed import dataset, pack

from anytime_pruning.datasets import cache, decoding, image_folder, load_dataset, tape
from anytime_pruning.foundation.errors import CapacityError

NO_MEMORY, NO_THREAD = MemoryError(), RuntimeError("can't start new thread")
NO_FILE, NO_PAGE = OSError(errno.EMFILE, "Too many open files"), OSError(errno.ENOMEM, "Cannot allocate memory")
# What fails, how, and what is said.
FAILING = {
    "an image": (
        decoding.ImageOps,
        "fit",
        NO_MEMORY,
        r"\.png in .*: not enough memory to decode this image; run fewer",
    ),
    "all images": (image_folder.np, "stack", NO_MEMORY, "^toy: not enough memory to load the images; run fewer jobs"),
    "the system": (cache, "save_file", NO_PAGE, "^toy: not enough memory to load the images"),
    "threads": (threading.Thread, "start", NO_THREAD, "^toy: not enough threads to load the images"),
    "opening an archive": (tape, "open", NO_FILE, "^toy: not enough open files to load the images"),
}


def fail(monkeypatch, owner, name, error):
    def instead(*args, **options):
        raise error

    monkeypatch.setattr(owner, name, instead, raising=False)


@pytest.mark.parametrize(("owner", "name", "error", "message"), FAILING.values(), ids=FAILING)
def test_a_shortage_is_named_and_the_images_are_not_blamed(owner, name, error, message, tmp_path, monkeypatch):
    path = pack(toy_files(size=7), tmp_path, ".tar")
    with monkeypatch.context() as patch:
        fail(patch, owner, name, error)
        with pytest.raises(CapacityError, match=message):
            load_dataset(dataset(path), tmp_path)
    assert len(load_dataset(dataset(path), tmp_path).train_images) == 8


def test_an_image_of_a_folder_that_cannot_be_opened_now_is_not_blamed(tmp_path, monkeypatch):
    fail(monkeypatch, Path, "read_bytes", NO_FILE)
    with pytest.raises(CapacityError, match=r"^toy: not enough open files to load the images"):
        load_dataset(dataset(pack(toy_files(), tmp_path)), tmp_path)


def test_a_cache_that_cannot_be_opened_now_is_not_made_again(tmp_path, monkeypatch):
    toy = dataset(pack(toy_files(), tmp_path))
    load_dataset(toy, tmp_path)
    fail(monkeypatch, type(toy), "read", AssertionError("read again"))
    for name, error in (("open", NO_FILE), ("safe_open", NO_PAGE), ("safe_open", NO_MEMORY)):
        with monkeypatch.context() as patch:
            fail(patch, cache, name, error)
            with pytest.raises(CapacityError, match=r"^toy: not enough "):
                load_dataset(toy, tmp_path)
    assert len(load_dataset(toy, tmp_path).train_images) == 8
