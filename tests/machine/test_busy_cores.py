"""Test the warning about threads that share their cores with other work."""

import os

import pytest

from anytime_pruning.machine import busy_cores
from anytime_pruning.machine.busy_cores import warn_if_threads_would_wait


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(4)))
    monkeypatch.setattr(busy_cores, "PAUSE_S", 0)


def look_at(tmp_path, running):
    """Return a file that counts processes as Linux does; the process that looks is one of them."""
    path = tmp_path / "stat"
    path.write_text(f"cpu  1 2 3\nprocesses 99\nprocs_running {running}\nprocs_blocked 7\n")
    return path


@pytest.mark.parametrize(
    ("threads", "others", "warned"), [(2, 3, True), (4, 1, True), (2, 2, False), (4, 0, False), (1, 9, False)]
)
def test_threads_are_warned_of_where_other_work_takes_their_cores(threads, others, warned, tmp_path, capsys):
    warn_if_threads_would_wait(threads, look_at(tmp_path, others + 1))
    error = capsys.readouterr().err
    assert (
        error.startswith(f"warning: execution.threads: {threads} threads share 4 cores with {others} other") == warned
    )
    assert bool(error) == warned


def test_where_nobody_counts_processes_nothing_is_said(tmp_path, capsys):
    warn_if_threads_would_wait(4, tmp_path / "gone")
    (tmp_path / "empty").write_text("")
    warn_if_threads_would_wait(4, tmp_path / "empty")
    assert capsys.readouterr().err == ""
