"""Find out whether this machine has what torch.compile needs to build kernels."""

import os
import shutil
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

import torch


def missing_for_compiling(device: torch.device) -> str | None:
    """Return the first thing that torch.compile needs on this machine and does not find, or None.

    For a GPU it writes kernels for triton, which builds their launchers with a C compiler; for a CPU it writes kernels
    in C++. Both include the header of Python (torch 2.13, triton 3).

    Args:
        device: the device that computes.
    """
    if device.type == "cuda":
        if not find_spec("triton"):
            return "triton"
        compilers = [os.environ["CC"]] if "CC" in os.environ else ["gcc", "clang"]
        kind = "a C compiler"
    else:
        compilers = [os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")]
        kind = "a C++ compiler"
    if not any(map(shutil.which, compilers)):
        return compilers[0] if len(compilers) == 1 else f"{kind} ({' or '.join(compilers)})"
    if not any((folder / "Python.h").is_file() for folder in _header_folders()):
        return "Python.h, the header of Python (package python3-dev or python3-devel)"
    return None


def _header_folders() -> list[Path]:
    """Return the folders in which torch and triton look for the header of Python."""
    schemes = (sysconfig.get_default_scheme(), "posix_prefix")
    return [Path(sysconfig.get_path("include", scheme)) for scheme in schemes]
