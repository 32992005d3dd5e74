"""Test that users of one machine take turns on its GPUs."""

import stat
import time

import pytest
from other_users import ALICE, BOB, as_root, for_all, run_as  # noqa: F401

from anytime_pruning.machine import gpu_slots


@as_root
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_users_wait_for_each_other_and_a_dead_process_frees_its_slot(umask, for_all, monkeypatch):  # noqa: F811
    for_all.chmod(0o1777)
    monkeypatch.setattr(gpu_slots, "LOCKS", for_all)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    said = []

    def claim(work):
        with gpu_slots.claim_slot(["gpu"], 1, gpu_slots._slots_dir(), work) as place:
            return place

    def give_up(seconds):
        raise RecursionError

    def claim_and_give_up():
        gpu_slots.time.sleep = give_up
        gpu_slots.print = lambda text, **options: said.append(text)
        try:
            return claim("the run of bob")
        except RecursionError:
            return said[-1]
        finally:
            gpu_slots.time.sleep = time.sleep

    monkeypatch.setattr(gpu_slots, "print", print, raising=False)
    assert run_as(ALICE, lambda: claim("a first run"), umask) == 0
    (folder,) = for_all.iterdir()
    assert (stat.S_IMODE(folder.stat().st_mode), folder.stat().st_uid) == (0o1777, ALICE)
    with gpu_slots.claim_slot(["gpu"], 1, folder, "the run of root"):
        waited = run_as(BOB, claim_and_give_up, umask)
    assert waited.startswith("waiting for one of 1 GPU slots (execution.gpu_slots: 1), held by: process ")
    assert " of root on " in waited
    assert waited.endswith(", for the run of root")
    assert run_as(BOB, lambda: claim("the run of bob"), umask) == 0
