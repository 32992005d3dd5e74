"""Test what a call says that finds its folder locked."""

import logging
import os
import subprocess
import sys

import pytest

from anytime_pruning.foundation.locks.holders import name_of_user
from anytime_pruning.orchestration.calls.locks import FolderInUseError, describe_lock, replace_lock_message


@pytest.fixture
def locked(tmp_path):
    (tmp_path / ".snakemake" / "locks").mkdir(parents=True)
    (tmp_path / ".snakemake" / "locks" / "0.output.lock").write_text("results/tiny/runs.txt\n")
    return tmp_path


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are looked for in /proc")
def test_the_holder_is_named_while_it_lives_and_unlock_only_afterwards(locked):
    def start(folder, *words):
        # The child says that it runs, because only then does it have its own command line.
        program = "import time; print(flush=True); time.sleep(600)"
        process = subprocess.Popen([sys.executable, "-c", program, *words], cwd=folder, stdout=subprocess.PIPE)
        process.stdout.readline()
        return process

    others = [start(locked, "other"), start(locked.parent, "snakemake"), start(locked, "snakemake", "--target-jobs")]
    holder = start(locked, "snakemake")
    try:
        line = describe_lock(locked)
        assert f"(process {holder.pid} of {name_of_user(os.getuid())} on " in line
        assert " since 20" in line
        assert "wait until it has finished" in line
        assert "--unlock" not in line
    finally:
        for process in (holder, *others[:2]):
            process.kill()
            process.wait()
    line = describe_lock(locked)
    others[2].kill()
    others[2].wait()
    assert "--unlock" in line
    assert "\n" not in line


def test_only_the_message_about_the_lock_is_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def record(**extra):
        made = logging.makeLogRecord({"msg": "Error: %s", "args": ("cannot be locked",), **extra})
        assert replace(made)
        return made.getMessage()

    replace = replace_lock_message(lambda error: f"error: {error}")
    assert record() == record(exception="WorkflowError") == "Error: cannot be locked"
    assert record(exception="LockException").startswith("error: snakemake: the folder has been locked")

    def refuse(error):
        raise error

    replace = replace_lock_message(refuse)
    with pytest.raises(FolderInUseError):
        record(exception="LockException")
