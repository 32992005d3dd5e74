"""Where numbers come from: commit, versions, hardware. Everything here describes a run and changes nothing in it."""

import hashlib
import os
import platform
import resource
import subprocess
from importlib.metadata import version
from pathlib import Path

import torch

import anytime_pruning


def describe_code() -> dict[str, str | bool | None]:
    """Commit of the checkout that holds the package, and whether files differ from it; None where git cannot say."""
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "modified": None if changes is None else bool(changes)}


def describe_container() -> dict[str, str | None] | None:
    """The image that this process runs in: its file's name and SHA-256, which names it wherever it is; None outside.

    The digest is None where the file cannot be read from inside.
    """
    image = os.environ.get("APPTAINER_CONTAINER") or os.environ.get("SINGULARITY_CONTAINER")
    if not image:
        return None
    try:
        with open(image, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        digest = None
    return {"image": Path(image).name, "sha256": digest}


def describe_versions() -> dict[str, str]:
    """Versions of what takes part in computing the numbers."""
    packages = {name: version(name) for name in ("torch", "numpy", "pillow", "safetensors")}
    return {"anytime_pruning": anytime_pruning.__version__, "python": platform.python_version(), **packages}


def describe_hardware(device: torch.device) -> dict[str, str | int]:
    """The processor, its vector instructions as torch uses them, and the GPU if one computed."""
    hardware = {
        "device": device.type,
        "processor": _processor(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count() or 0,
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "peak_memory_mb": round(_peak_memory_kb() / 1024),
    }
    if device.type == "cuda":
        hardware |= {
            "gpu": torch.cuda.get_device_name(device),
            "cuda": torch.version.cuda,
            "peak_gpu_memory_mb": round(torch.cuda.max_memory_allocated(device) / 2**20),
        }
    return hardware


def _git(*arguments: str) -> str | None:
    folder = Path(anytime_pruning.__file__).parent
    try:
        answer = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def _peak_memory_kb() -> int:
    """Of this process alone: what `getrusage` says on Linux begins with the peak of the process that started it."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
