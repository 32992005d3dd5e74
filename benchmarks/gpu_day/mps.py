"""Run NVIDIA's Multi-Process Service (MPS), through which the kernels of several processes compute side by side.

The service runs in a folder of its own and is always stopped. Nothing about the GPU itself is changed: not its compute
mode, its clocks, its partition or its persistence. This process holds no GPU.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

CONTROL = "nvidia-cuda-mps-control"
ANSWER_S = 20


@contextmanager
def service() -> Iterator[dict[str, str]]:
    """Run the service, and yield the variables by which processes find it."""
    # The path of a socket may have 107 characters, so the folder has a short name.
    with tempfile.TemporaryDirectory(prefix="mps-") as name:
        folder = Path(name)
        environment = {"CUDA_MPS_PIPE_DIRECTORY": str(folder / "pipe"), "CUDA_MPS_LOG_DIRECTORY": str(folder / "log")}
        for path in environment.values():
            Path(path).mkdir()
        control = subprocess.Popen(
            (CONTROL, "-f"), env=os.environ | environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        try:
            _await(control, environment)
            yield environment
        finally:
            with suppress(OSError, subprocess.SubprocessError):
                ask("quit", os.environ | environment)
            _end(control)


def ask(question: str, environment: Mapping[str, str]) -> str:
    """Send one line to the service's control process, and return its answer."""
    answer = subprocess.run(
        (CONTROL,), input=f"{question}\n", env=environment, capture_output=True, encoding="utf-8", timeout=ANSWER_S
    )
    if answer.returncode:
        raise subprocess.CalledProcessError(answer.returncode, answer.args, answer.stdout, answer.stderr)
    return answer.stdout


def _await(control: subprocess.Popen[bytes], environment: Mapping[str, str]) -> None:
    """Wait until the service answers."""
    end = time.monotonic() + ANSWER_S
    while control.poll() is None:
        try:
            ask("get_server_list", os.environ | environment)
            return
        except (OSError, subprocess.SubprocessError):
            if time.monotonic() > end:
                break
            time.sleep(0.2)
    raise RuntimeError(f"{CONTROL} does not answer; its exit status is {control.poll()}")


def _end(control: subprocess.Popen[bytes]) -> None:
    for stop in (lambda: None, control.terminate, control.kill):
        stop()
        with suppress(subprocess.TimeoutExpired):
            control.wait(ANSWER_S)
            return
