"""Test that files are written either whole or not at all."""

import os
import time

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from anytime_pruning.foundation.errors import CapacityError
from anytime_pruning.foundation.files import (
    csv_text,
    fingerprint_files,
    make_folder,
    remove_partial,
    write_atomically,
    write_if_different,
    write_text,
)


@pytest.fixture
def of_group():
    """Set the umask of a shared folder: the group may write, and others see nothing."""
    before = os.umask(0o007)
    yield
    os.umask(before)


def test_a_file_is_for_whom_the_umask_says_whatever_library_wrote_it(of_group, tmp_path):
    write_atomically(tmp_path / "a.safetensors", lambda partial: save_file({"x": torch.zeros(2)}, partial))
    write_text(tmp_path / "a.txt", "text")
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {
        "a.safetensors": "0o660",
        "a.txt": "0o660",
    }


def test_a_made_folder_has_its_name_on_the_disk(tmp_path, monkeypatch):
    flushed, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (flushed.append(os.readlink(f"/proc/self/fd/{file}")), fsync(file)))
    make_folder(tmp_path / "a" / "b")
    assert set(flushed) == {str(tmp_path), str(tmp_path / "a")}
    flushed.clear()
    make_folder(tmp_path / "a" / "b")
    assert flushed == []


def test_a_file_is_on_the_disk_before_it_takes_the_name_of_the_old_one(tmp_path, monkeypatch):
    done, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (done.append(os.readlink(f"/proc/self/fd/{file}")), fsync(file)))
    monkeypatch.setattr(os, "replace", lambda *names: (done.append(tuple(map(str, names))), replace(*names)))
    write_text(tmp_path / "a.txt", "whole")
    partial = done[0]
    assert done == [partial, (partial, str(tmp_path / "a.txt")), str(tmp_path)]


FAILURES = {
    OSError(28, "No space left on device"): OSError,
    SafetensorError("No space left on device"): CapacityError,
    ValueError("unexpected"): ValueError,
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_writer_leaves_the_file_as_it_was(failure, tmp_path):
    def write(partial):
        partial.write_text("ha")
        raise failure

    write_text(tmp_path / "a.txt", "whole")
    with pytest.raises(FAILURES[failure]) as error:
        write_atomically(tmp_path / "a.txt", write)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "whole"
    if not isinstance(failure, ValueError):
        assert str(failure.args[-1]) in str(error.value)
        assert str(tmp_path / "a.txt") in str(error.value)


def test_what_killed_processes_left_is_removed_of_one_file_only(tmp_path):
    for name in (".a.txt.partial-1", ".a.txt.partial-22", ".b.txt.partial-1", "a.txt"):
        (tmp_path / name).touch()
    remove_partial(tmp_path, "a.txt")
    assert {path.name for path in tmp_path.iterdir()} == {".b.txt.partial-1", "a.txt"}


def test_an_equal_text_is_not_written_again(tmp_path):
    path = tmp_path / "a.txt"
    write_if_different(path, "text")
    os.utime(path, (0, 0))
    write_if_different(path, "text")
    assert path.stat().st_mtime == 0
    write_if_different(path, "other")
    assert path.read_text() == "other"
    assert path.stat().st_mtime > 0


def test_a_fingerprint_tells_that_files_of_one_size_and_date_swapped_their_names(tmp_path):
    for name, text in (("a", "cat"), ("b", "dog")):
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, (1, 1))
    before = fingerprint_files(tmp_path, ["a", "b"])
    time.sleep(0.05)  # the clock of a file system is coarse
    for old, new in (("a", "c"), ("b", "a"), ("c", "b")):
        (tmp_path / old).rename(tmp_path / new)
    assert fingerprint_files(tmp_path, ["a", "b"]) != before


def test_a_fingerprint_changes_with_names_sizes_and_times(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text("same")
        os.utime(tmp_path / name, (0, 0))
    before = fingerprint_files(tmp_path, ["a"])
    assert fingerprint_files(tmp_path, ["a"]) == before
    assert fingerprint_files(tmp_path, ["b"]) != before
    os.utime(tmp_path / "a", (1, 1))
    assert fingerprint_files(tmp_path, ["a"]) != before
    (tmp_path / "a").write_text("longer")
    os.utime(tmp_path / "a", (0, 0))
    assert fingerprint_files(tmp_path, ["a"]) != before


def test_a_table_has_line_feeds_and_empty_cells():
    assert csv_text(["a", "b"], [(1, None), ("x, y", 0.1)]) == 'a,b\n1,\n"x, y",0.1\n'
