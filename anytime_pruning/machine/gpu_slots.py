"""Share GPUs between runs: each run takes a free slot of a GPU, and waits until one is free."""

import errno
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import BaseFileLock, FileLock, Timeout

from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.machine.devices import choose_device
from anytime_pruning.machine.nvidia import is_mps_on

POLL_S = 0.5
# All runs of a user have to find the same locks. TMPDIR is not asked, because it differs from shell to shell and is
# missing in a container, which does see this folder of the machine.
LOCKS = Path("/tmp")


@contextmanager
def claim_device(name: str, gpu_slots: int) -> Iterator[torch.device]:
    """Hold a device until the end of one run.

    Args:
        name: the setting `execution.device`; `auto` and `cuda` mean any GPU that has a free slot.
        gpu_slots: number of runs of this user that may share one GPU.

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
    with claim_slot(identifiers, gpu_slots, _slots_dir()) as position:
        gpu = gpus[position]
        if gpu_slots > 1 and is_mps_on(gpu) is False:
            warn(
                f"execution.gpu_slots: without NVIDIA's MPS, {gpu_slots} runs take turns on a GPU instead of computing "
                "side by side; start it with nvidia-cuda-mps-control -d"
            )
        yield torch.device("cuda", gpu)


@contextmanager
def claim_slot(names: Sequence[str], slots: int, folder: Path) -> Iterator[int]:
    """Hold one slot of one of several resources; the operating system frees the slots of a dead process.

    Args:
        names: names of the resources.
        slots: number of slots that each resource has.
        folder: folder of the lock files; it is made if missing.

    Yields:
        The position in `names` of the resource whose slot is held. Resources with fewer held slots come first.

    Raises:
        SettingError: the folder cannot be used.
    """
    locks: list[tuple[int, BaseFileLock]] = [
        (position, FileLock(folder / f"{names[position]}-{slot}.lock"))
        for slot in range(slots)
        for position in range(len(names))
    ]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
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


def _wait_for_one(locks: Sequence[tuple[int, BaseFileLock]], slots: int) -> tuple[int, BaseFileLock]:
    """Acquire the first free lock, and return it with its position."""
    has_told = False
    while True:
        for position, lock in locks:
            try:
                lock.acquire(blocking=False)
                return position, lock
            except Timeout:
                continue
        if not has_told:
            print(f"waiting for one of {len(locks)} GPU slots (execution.gpu_slots: {slots})", flush=True)
            has_told = True
        time.sleep(POLL_S)


def _slots_dir() -> Path:
    """Return the folder of this user's locks; a Slurm job gets its own, because Slurm already assigned its GPUs."""
    job = os.environ.get("SLURM_JOB_ID")
    return LOCKS / f"anytime-pruning-slots-{os.getuid()}{f'-{job}' if job else ''}"
