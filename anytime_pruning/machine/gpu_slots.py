"""Share GPUs between runs: each run takes a free slot of a GPU, and waits until one is free.

The runs of all users of a machine take turns, because no GPU knows whose turn it is.
"""

import errno
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.errors import SettingError, name_some
from anytime_pruning.foundation.locks.holders import describe_holder, describe_owner
from anytime_pruning.foundation.locks.locks import Lock
from anytime_pruning.machine.devices import choose_device
from anytime_pruning.machine.nvidia import is_mps_on

POLL_S = 0.5
# All runs have to find the same locks. TMPDIR is not asked, because it differs from shell to shell and is missing in a
# container, which does see this folder of the machine.
LOCKS = Path("/tmp")
# Like /tmp itself: everybody may add files, and remove only his own.
SHARED_MODE = 0o1777


@contextmanager
def claim_device(name: str, gpu_slots: int, work: str) -> Iterator[torch.device]:
    """Hold a device until the end of one run.

    Args:
        name: the setting `execution.device`; `auto` and `cuda` mean any GPU that has a free slot.
        gpu_slots: number of runs that may share one GPU.
        work: the run, for the messages of those that wait for it.

    Yields:
        The device, with the index of the GPU. A CPU is available without waiting.

    Raises:
        SettingError: the machine has no such device, or the folder of the locks cannot be used.
    """
    device = choose_device(name)
    if device.type != "cuda":
        yield device
        return
    gpus = range(torch.cuda.device_count()) if device.index is None else [device.index]
    # Locks are named by the unique identifier of a GPU, because the index of a GPU may differ from job to job.
    identifiers = [str(torch.cuda.get_device_properties(gpu).uuid) for gpu in gpus]
    with claim_slot(identifiers, gpu_slots, _slots_dir(), work) as position:
        gpu = gpus[position]
        if gpu_slots > 1 and is_mps_on(gpu) is False:
            warn(
                f"execution.gpu_slots: without NVIDIA's MPS, {gpu_slots} runs take turns on a GPU instead of computing "
                "side by side; start it with nvidia-cuda-mps-control -d"
            )
        yield torch.device("cuda", gpu)


@contextmanager
def claim_slot(names: Sequence[str], slots: int, folder: Path, work: str) -> Iterator[int]:
    """Hold one slot of one of several resources; the operating system frees the slots of a dead process.

    Args:
        names: names of the resources.
        slots: number of slots that each resource has.
        folder: folder of the lock files; if it is missing, it is made for this user alone.
        work: what the slot is held for.

    Yields:
        The position in `names` of the resource whose slot is held. Resources with fewer held slots come first.

    Raises:
        SettingError: the folder cannot be used.
    """
    locks = [
        (position, Lock(folder / f"{names[position]}-{slot}.lock", work))
        for slot in range(slots)
        for position in range(len(names))
    ]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_shared(folder) and folder.stat().st_uid != os.getuid():
            raise PermissionError(errno.EACCES, "it belongs to another user")
        position, lock = _wait_for_one(locks, slots)
    except OSError as error:
        raise SettingError(
            f"{folder}: this folder, where runs lock their GPUs, cannot be used: {error.strerror}; it has to be a "
            "folder of yours"
        ) from None
    try:
        yield position
    finally:
        lock.release()


def _wait_for_one(locks: Sequence[tuple[int, Lock]], slots: int) -> tuple[int, Lock]:
    """Take a free lock, and return it with its position; whenever others hold them, say who."""
    told = None
    while True:
        for position, lock in _emptiest_first(locks, slots):
            if lock.take():
                return position, lock
        holders = [describe_holder(lock.path) or "a process that left no name" for _, lock in locks]
        if holders != told:
            count = f"{len(locks)} GPU slots (execution.gpu_slots: {slots})"
            print(f"waiting for one of {count}, held by: {name_some(holders)}", flush=True)
            told = holders
        time.sleep(POLL_S)


def _emptiest_first(locks: Sequence[tuple[int, Lock]], slots: int) -> Sequence[tuple[int, Lock]]:
    """Return the free locks in the order in which runs should take them, so that all resources fill up evenly.

    Each lock is held for a moment, because only who takes it knows that it is free: the note of a dead process stays.
    Another run may find it held in this moment, and comes back to it.
    """
    if slots in (1, len(locks)):
        return locks  # there is one lock of each resource, or one resource
    free: dict[int, list[Lock]] = {}
    for position, lock in locks:
        if lock.take():
            lock.release()
            free.setdefault(position, []).append(lock)
    # A run that begins at the same time sees the same locks, so each lock counts the free ones that go before it.
    ranked = [
        (slots - len(found) + i, position, lock) for position, found in free.items() for i, lock in enumerate(found)
    ]
    return [(position, lock) for _, position, lock in sorted(ranked, key=lambda entry: entry[:2])]


def _slots_dir() -> Path:
    """Return the folder of the locks of all users; a Slurm job gets its own, because Slurm already assigned its GPUs.

    If somebody has put something else in the place of the shared folder, this user's runs share a folder of their own.
    """
    job = os.environ.get("SLURM_JOB_ID")
    own = LOCKS / f"anytime-pruning-slots-{os.getuid()}{f'-{job}' if job else ''}"
    if job:
        return own
    shared = LOCKS / "anytime-pruning-slots"
    umask = os.umask(0)
    try:
        with suppress(OSError):
            shared.mkdir(mode=SHARED_MODE)
    finally:
        os.umask(umask)
    if _is_shared(shared):
        return shared
    warn(
        f"GPU slots are shared with your own runs alone, because {shared} is not a folder of mode {SHARED_MODE:o}: "
        f"{describe_owner(shared)}"
    )
    return own


def _is_shared(folder: Path) -> bool:
    """Return whether a path is a folder, and no link to one, where everybody may add files and remove only his own."""
    try:
        mode = folder.lstat().st_mode
    except OSError:
        return False
    return stat.S_ISDIR(mode) and mode & SHARED_MODE == SHARED_MODE
