"""Test that the collector of garbage waits in processes of the command line, and works as usual where they train."""

import gc
import subprocess
import sys

import pytest
import torch

from anytime_pruning.machine.collector import defer_collections, resume_collections
from anytime_pruning.machine.devices import prepare_process

WATCH = """
import atexit, gc, sys
from anytime_pruning.cli.main import main

collections = []
gc.callbacks.append(lambda phase, _: collections.append(phase))
# What is registered first runs last.
atexit.register(lambda: print(len(collections), gc.get_freeze_count() > 100_000))
sys.argv[1:] = ["list"]
main(DEFERRED)
import torch
"""


def ends_of(arguments):
    """Return how often a process collected that gave `main` these arguments, and whether it froze all at its end."""
    program = WATCH.replace("DEFERRED", arguments)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    n_collections, is_frozen = done.stdout.splitlines()[-1].split()
    return int(n_collections), is_frozen == "True"


def test_the_process_of_a_command_hardly_collects_and_nothing_at_its_end():
    """Call `main` for the whole process, and for one command of somebody else's program."""
    (ours, is_frozen), (others, is_frozen_by_others) = ends_of("None"), ends_of("['list']")
    assert ours < others / (3 if sys.version_info < (3, 12) else 1)  # a newer Python searches less often by itself
    assert is_frozen
    assert not is_frozen_by_others


@pytest.fixture
def usual(monkeypatch):
    """Return the thresholds of this process; restore them, and let nothing be frozen at its end."""
    monkeypatch.setattr("atexit.register", lambda _: None)
    resume_collections()  # after a test that called a command as the whole process
    thresholds = gc.get_threshold()
    yield thresholds
    gc.set_threshold(*thresholds)


def test_training_collects_as_usual(usual):
    defer_collections()
    assert gc.get_threshold()[0] > usual[0]
    frozen = gc.get_freeze_count()
    prepare_process(torch.device("cpu"), threads=1)
    assert gc.get_threshold() == usual
    assert gc.get_freeze_count() > frozen


def test_without_a_deferral_nothing_is_frozen(usual):
    frozen = gc.get_freeze_count()
    resume_collections()
    assert gc.get_freeze_count() == frozen
