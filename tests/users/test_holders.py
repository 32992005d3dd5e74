"""Test locks that say who holds them, with processes of one user and of several."""

import json
import multiprocessing
import os
import stat

import pytest
from other_users import ALICE, BOB, GROUP, as_root, for_all, run_as  # noqa: F401

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.files import make_as_shared, write_atomically
from anytime_pruning.foundation.locks import locks
from anytime_pruning.foundation.locks.holders import describe_holder, name_of_user
from anytime_pruning.foundation.locks.locks import Lock, locked


def test_a_held_lock_names_its_holder_and_a_released_one_nobody(tmp_path):
    lock = Lock(tmp_path / "lock", "the run\n\x1b[2J")
    assert lock.take()
    said = describe_holder(tmp_path / "lock")
    assert said.startswith(f"process {os.getpid()} of {name_of_user(os.getuid())} on ")
    assert said.endswith(", for the run\\n\\x1b[2J")
    assert not Lock(tmp_path / "lock", "another").take()
    assert describe_holder(tmp_path / "lock") == said
    lock.release()
    assert describe_holder(tmp_path / "lock") is None


def test_who_waits_is_told_for_whom_and_again_for_the_next(tmp_path, capsys, monkeypatch):
    path = tmp_path / "lock"
    holder = Lock(path, "the first run")
    assert holder.take()
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 2:
            holder.release()
            assert Lock.take(following)
        if len(waits) == 4:
            following.release()

    following = Lock(path, "the second run")
    monkeypatch.setattr(locks.time, "sleep", sleep)
    with locked(path, "a third run", "works there"):
        assert describe_holder(path).endswith("for a third run")
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition("for ")[2] for line in lines] == ["the first run", "the second run"]
    assert all(
        line.startswith(f"waiting for another process that works there: process {os.getpid()} ") for line in lines
    )


@pytest.mark.parametrize("content", ["", "{}", "[1]", "[" * 5000, "{" + " " * 5000, '{"pid": "x"}', "\udcff"])
def test_a_file_that_says_nothing_names_nobody(content, tmp_path):
    (tmp_path / "lock").write_bytes(content.encode(errors="surrogateescape"))
    assert describe_holder(tmp_path / "lock") is None


def test_a_process_that_has_ended_is_not_named(tmp_path):
    assert Lock(tmp_path / "lock", "a run").take()
    note = json.loads((tmp_path / "lock").read_text())
    child = multiprocessing.get_context("fork").Process(target=int)
    child.start()
    child.join()
    (tmp_path / "lock").write_text(json.dumps(note | {"pid": child.pid}))
    assert describe_holder(tmp_path / "lock") is None
    (tmp_path / "lock").write_text(json.dumps(note | {"pid": child.pid, "host": "elsewhere"}))
    assert f"process {child.pid} " in describe_holder(tmp_path / "lock")


def test_a_file_with_another_name_is_not_written_to(tmp_path):
    """A stranger may have linked a file of ours to the place of a lock."""
    (tmp_path / "thesis").write_text("a year of work")
    (tmp_path / "lock").hardlink_to(tmp_path / "thesis")
    lock = Lock(tmp_path / "lock", "a run")
    assert lock.take()
    lock.release()
    assert (tmp_path / "thesis").read_text() == "a year of work"


@pytest.mark.parametrize(("above", "expected"), [(0o755, 0o700), (0o2775, 0o2775), (0o2770, 0o2770), (0o1777, 0o1777)])
def test_what_is_in_a_shared_folder_is_shared_whatever_the_umask(above, expected, tmp_path):
    tmp_path.chmod(above)
    before = os.umask(0o077)
    try:
        make_as_shared(tmp_path / "cache")
        write_atomically(tmp_path / "cache" / "file", lambda path: path.touch(), as_shared=True)
        lock = Lock(tmp_path / "cache" / "lock", "a run")
        assert lock.take()
        lock.release()
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / "cache" / name).stat().st_mode) for name in ("", "file", "lock")]
    assert modes == [expected, expected & 0o666, expected & 0o666]


@as_root
def test_another_user_is_named_and_waited_for(for_all):  # noqa: F811
    shared = for_all / "shared"
    shared.mkdir()
    os.chown(shared, ALICE, GROUP)
    shared.chmod(0o2770)

    def take():
        lock = Lock(shared / "lock", "the run of alice")
        assert lock.take()
        return os.getpid(), Lock(shared / "lock", "").take(), describe_holder(shared / "lock")

    lock = Lock(shared / "lock", "the run of root")
    assert lock.take()
    taken, said = run_as(BOB, lambda: (Lock(shared / "lock", "").take(), describe_holder(shared / "lock")))
    lock.release()
    assert not taken
    assert said.startswith(f"process {os.getpid()} of root on ")
    pid, taken, said = run_as(ALICE, take, umask=0o077)
    assert not taken
    assert said.startswith(f"process {pid} of user {ALICE} on ")
    # Alice's process has ended with the lock, and its file remains.
    assert run_as(BOB, lambda: Lock(shared / "lock", "").take()) is True


@as_root
def test_a_lock_of_another_user_that_cannot_be_opened_is_one_line(for_all, monkeypatch):  # noqa: F811
    monkeypatch.setattr(locks, "PATIENCE_S", 0)
    private = for_all / "private"
    private.mkdir()
    os.chown(private, ALICE, GROUP)
    run_as(ALICE, lambda: Lock(private / "lock", "").take())
    error = run_as(BOB, lambda: Lock(private / "lock", "").take())
    assert isinstance(error, SettingError)
    owner = f"{private}/lock belongs to user {ALICE}, mode 644"
    assert str(error).startswith(
        f"{private}/lock: this lock cannot be taken: {owner}; ask for the right to write there"
    )
