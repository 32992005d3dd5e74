"""Describe how the numbers of a run were computed: commit, container, versions and hardware. No run is changed."""

import os
import platform
import resource
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

import torch

import anytime_pruning
from anytime_pruning.foundation.files import file_sha256
from anytime_pruning.machine.kernels.bfloat16 import has_native_bfloat16, onednn_limit
from anytime_pruning.machine.nvidia import is_mps_on

PROCESSORS = Path("/proc/cpuinfo")


def describe_commit() -> dict[str, str | bool | None]:
    """Return the `commit` of the checkout that holds the package, and whether its files are `modified`.

    Both are None where git cannot tell. An installed package may lie inside a repository of the user. The commit of
    that repository is not the package's, so git is asked only if it tracks the package's files.
    """
    if _git("ls-files", "--error-unmatch", "__init__.py") is None:
        return {"commit": None, "modified": None}
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "modified": None if changes is None else bool(changes)}


def describe_container() -> dict[str, str | None] | None:
    """Return the name and the SHA-256 of the image file that this process runs in, or None outside a container.

    The digest is None if the file cannot be read from inside the container.
    """
    image = os.environ.get("APPTAINER_CONTAINER") or os.environ.get("SINGULARITY_CONTAINER")
    if not image:
        return None
    try:
        digest = file_sha256(Path(image))
    except OSError:
        digest = None
    return {"image": Path(image).name, "sha256": digest}


@cache
def describe_versions() -> dict[str, str]:
    """Return the versions of the packages that compute the numbers; a process keeps those that it has loaded."""
    packages = {name: version(name) for name in ("torch", "numpy", "pillow", "safetensors")}
    return {"anytime_pruning": anytime_pruning.__version__, "python": platform.python_version(), **packages}


def describe_hardware(device: torch.device, gpu_slots: int = 1) -> dict[str, str | int | None]:
    """Return the processor, the vector instructions that torch uses, the memory used, and the GPU if any.

    Args:
        device: the device that computed. Keys that begin with `gpu`, `cuda` or `peak_gpu`, and `mps`, exist only for a
            GPU.
        gpu_slots: number of runs that may have shared the GPU: side by side with MPS, and in turns without.
    """
    hardware: dict[str, str | int | None] = {
        "device": device.type,
        "processor": processor_name(),
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
            # What torch calls allocated leaves out the memory that a recorded step keeps between its replays.
            "peak_gpu_memory_mb": round(torch.cuda.max_memory_reserved(device) / 2**20),
            "gpu_slots": gpu_slots,
            "mps": is_mps_on(torch.cuda.current_device() if device.index is None else device.index),
        }
    return hardware


def _git(*arguments: str) -> str | None:
    folder = Path(anytime_pruning.__file__).parent
    try:
        answer = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, encoding="utf-8", errors="replace", timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def _peak_memory_kb() -> int:
    """Return the peak memory of this process; on Linux `getrusage` would include the peak of its parent process."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def processor_kind() -> str:
    """Return the name, family and fastest arithmetic of the processor: `AMD EPYC, family 25, AVX512 with bfloat16`.

    Virtual machines often leave the model out of the name. Processors of one name may differ in speed by a factor of
    two then, and the family, which Linux numbers for makers of x86, tells them apart.
    """
    facts = _processor_facts()
    family = f", family {facts['cpu family']}" if "cpu family" in facts else ""
    return f"{processor_name()}{family}, {vector_instructions()}"


def kind_of_bits() -> str:
    """Return the kind of processor within which the same run has the same bits: `AMD, AVX512 with bfloat16`.

    The maker counts, because MKL, which multiplies matrices for torch, takes other code for other makers.
    """
    return f"{maker_of(processor_name())}, {vector_instructions()}"


def maker_of(processor: str) -> str:
    """Return the maker of a processor, which is the first word of its name: `Intel` of `Intel(R) Xeon(R)`."""
    return processor.partition(" ")[0].removesuffix("(R)")


def vector_instructions() -> str:
    """Return the instructions that torch computes with: `AVX512 with bfloat16`.

    A user may forbid oneDNN some of them. The limit is part of the name if torch itself uses newer ones.
    """
    capability, limit = torch.backends.cpu.get_cpu_capability(), onednn_limit()
    native = " with bfloat16" if has_native_bfloat16(torch.device("cpu")) else ""
    is_apart = limit not in ("", "ALL", "DEFAULT") and limit.partition("_")[0] != capability
    return f"{capability}{native}{f', oneDNN {limit}' if is_apart else ''}"


def processor_name() -> str:
    """Return the name of the processor as Linux gives it, or what Python knows of it elsewhere."""
    return _processor_facts().get("model name") or platform.processor() or platform.machine()


def _processor_facts() -> dict[str, str]:
    """Return what Linux says about the first processor, by its own names; other systems say nothing."""
    try:
        text = PROCESSORS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
