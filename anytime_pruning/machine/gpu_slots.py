"""Several runs on one GPU: each takes a free slot, and waits while there is none."""

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.machine.devices import choose_device

POLL_S = 0.5


@contextmanager
def claim_device(name: str, gpu_slots: int) -> Iterator[torch.device]:
    """The device of a setting for the time of one run.

    Args:
        name: `auto` and `cuda` mean whichever GPU has a free slot.
        gpu_slots: how many runs of this user may share a GPU.

    Raises:
        SettingError: no such device.
    """
    device = choose_device(name)
    if device.type != "cuda":
        yield device
        return
    gpus = range(torch.cuda.device_count()) if device.index is None else [device.index]
    # By the GPU's own name: its number may be another one in another job.
    names = [str(torch.cuda.get_device_properties(gpu).uuid) for gpu in gpus]
    with claim_slot(names, gpu_slots, _slots_dir()) as place:
        yield torch.device("cuda", gpus[place])


@contextmanager
def claim_slot(names: Sequence[str], slots: int, folder: Path) -> Iterator[int]:
    """Hold one of `slots` locks of one of several things; a process that dies lets go of its own.

    Yields:
        The position in `names` of the one that is held. The least used come first.

    Raises:
        SettingError: the folder cannot be used.
    """
    locks = [
        (place, FileLock(folder / f"{names[place]}-{k}.lock")) for k in range(slots) for place in range(len(names))
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place, lock = _wait_for_one(locks, slots)
    except OSError as error:
        raise SettingError(
            f"TMPDIR: {folder}, where runs lock their GPUs, cannot be used: {error.strerror}; name a folder of this "
            "machine that you can write to"
        ) from None
    try:
        yield place
    finally:
        lock.release()


def _wait_for_one(locks: Sequence[tuple[int, FileLock]], slots: int) -> tuple[int, FileLock]:
    """The first of several locks that is free, now held, and its place."""
    told = False
    while True:
        for place, lock in locks:
            try:
                lock.acquire(blocking=False)
                return place, lock
            except Timeout:
                continue
        if not told:
            print(f"waiting for one of {len(locks)} GPU slots (execution.gpu_slots: {slots})", flush=True)
            told = True
        time.sleep(POLL_S)


def _slots_dir() -> Path:
    """Of this user. A Slurm job has slots of its own: Slurm gave it its GPUs, whoever else computes on this machine."""
    return Path(tempfile.gettempdir()) / f"anytime-pruning-slots-{os.getuid()}" / os.environ.get("SLURM_JOB_ID", "")
