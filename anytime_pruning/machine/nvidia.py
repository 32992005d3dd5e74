"""Ask NVIDIA's driver, and not CUDA, about the GPUs of this machine: whether there are any, and whether MPS is on."""

import ctypes
import os
import re
import shutil
import subprocess
import warnings
from pathlib import Path

import torch

DRIVER = Path("/proc/driver/nvidia/version")
DEVICES, PCI_DEVICES = Path("/dev"), Path("/sys/bus/pci/devices")
# The oldest driver for which each major version of CUDA works.
OLDEST_DRIVER = {"11": 450, "12": 525, "13": 580}
# Exit status of nvidia-smi: there is no GPU that this process may use; the driver is not loaded, or lacks a library.
NO_GPU, NO_DRIVER = (6,), (9, 12)
# Values of CUDA_VISIBLE_DEVICES by which users, and Slurm, hide all GPUs.
HIDDEN = ("", "-1", "none", "nodevfiles")
MPS_ENABLED = 133  # CU_DEVICE_ATTRIBUTE_MPS_ENABLED in cuda.h
PATIENCE_S = 30


def has_driver() -> bool:
    """Return whether a driver of NVIDIA seems to be at work on this machine."""
    return any(path.exists() for path in (DRIVER, DEVICES / "nvidiactl", DEVICES / "dxg"))


def has_cuda() -> bool:
    """Return whether torch can use a GPU."""
    with warnings.catch_warnings():
        # Torch would describe an old driver in several lines, and `why_no_cuda` does it in one.
        warnings.simplefilter("ignore")
        return torch.cuda.is_available()


def why_no_cuda() -> str | None:
    """Return why torch finds no CUDA device although NVIDIA's driver finds a GPU.

    Returns:
        A clause that says what is wrong and what would help; None if torch finds one, if this process has no GPU, or if
        its user has hidden all GPUs.
    """
    if has_cuda() or os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip().lower() in HIDDEN or not _has_gpu():
        return None
    driver, built = _driver_version(), torch.version.cuda
    found = f"this machine has a GPU of NVIDIA (driver {driver or 'unknown'}), but"
    if built is None:
        return f"{found} this torch {torch.__version__} is built without CUDA; install a torch for CUDA"
    oldest = OLDEST_DRIVER.get(built.partition(".")[0])
    if driver and oldest and int(driver.partition(".")[0]) < oldest:
        return (
            f"{found} torch for CUDA {built} needs driver R{oldest} or newer; update the driver, or install a torch "
            "for an older CUDA"
        )
    return (
        f"{found} torch for CUDA {built} finds no CUDA device; compare the driver with this CUDA, and look at "
        "CUDA_VISIBLE_DEVICES and, in a container, at the option --nv"
    )


def is_mps_on(index: int) -> bool | None:
    """Return whether processes on a GPU compute side by side through NVIDIA's MPS, or None if the driver cannot tell.

    Args:
        index: index of the GPU in this process, in which CUDA has started.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        gpu, value = ctypes.c_int(), ctypes.c_int()
        failed = driver.cuDeviceGet(ctypes.byref(gpu), index)
        failed = failed or driver.cuDeviceGetAttribute(ctypes.byref(value), MPS_ENABLED, gpu)
    except (OSError, AttributeError):
        return None
    return None if failed else bool(value.value)


def _has_gpu() -> bool:
    """Return whether this process may use a GPU, as far as the driver knows.

    Slurm may hide the GPUs of a machine from a job. Their files in /dev are still there, but cannot be opened.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return any(map(_can_be_opened, DEVICES.glob("nvidia[0-9]*")))
    try:
        status = subprocess.run([program, "-L"], capture_output=True, timeout=PATIENCE_S).returncode
    except (OSError, subprocess.TimeoutExpired):
        return True
    return _has_pci_gpu() if status in NO_DRIVER else status not in NO_GPU


def _can_be_opened(path: Path) -> bool:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _has_pci_gpu() -> bool:
    """Return whether a graphics card of NVIDIA is in this machine, with or without a driver."""
    for device in PCI_DEVICES.glob("*"):
        try:
            vendor, kind = ((device / name).read_text(encoding="ascii").strip() for name in ("vendor", "class"))
        except OSError:
            continue
        if vendor == "0x10de" and kind.startswith("0x03"):
            return True
    return False


def _driver_version() -> str | None:
    try:
        found = re.search(r"Kernel Module.*?\s(\d+(?:\.\d+)+)\s", DRIVER.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    return found.group(1) if found else None
