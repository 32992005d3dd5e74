"""Run the package in the working folder, and write the loss of every training step.

    python record_losses.py FILE ARGUMENTS...    # calls python -m anytime_pruning ARGUMENTS...

The package may be of any age. All that is assumed of it is that it trains by torch's `backward`, in a module or a
folder whose name begins with `training`: other modules try networks out. `compare_commits.py` calls this program.
"""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

HERE = Path.cwd()


def main() -> None:
    """Replace torch's function that starts every backward pass, and run the package."""
    path, *arguments = sys.argv[1:]
    # Without this line, Python would look for the package beside this program and not in the working folder.
    sys.path[0] = str(HERE)
    with open(path, "w", encoding="utf-8", buffering=1) as file:
        torch.autograd.backward = _recording(torch.autograd.backward, file.write)
        sys.argv = ["anytime_pruning", *arguments]
        runpy.run_module("anytime_pruning", run_name="__main__", alter_sys=True)


def _recording(backward: Callable[..., None], write: Callable[[str], object]) -> Callable[..., None]:
    def record(tensors: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(tensors, torch.Tensor) and tensors.numel() == 1 and _is_training():
            write(f"{tensors.item()!r}\n")
        backward(tensors, *args, **kwargs)

    return record


def _is_training() -> bool:
    """Return whether the innermost module of the package that is being executed trains."""
    frame = sys._getframe(2)
    while frame.f_back and not Path(frame.f_code.co_filename).is_relative_to(HERE):
        frame = frame.f_back
    parts = frame.f_code.co_filename.removeprefix(str(HERE)).split("/")
    return any(part.startswith("training") for part in parts)


if __name__ == "__main__":
    main()
