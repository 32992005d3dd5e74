"""Measure 1, 2 and 4 jobs on one GPU, with and without NVIDIA's Multi-Process Service (MPS).

The service runs in a folder of its own and is always stopped. Nothing about the GPU itself is changed: not its compute
mode, its clocks, its partition or its persistence. This process holds no GPU.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from benchmarks.gpu_day.stages import report
from benchmarks.jobs import ENVIRONMENT, run_together

CONTROL = "nvidia-cuda-mps-control"
ANSWER_S = 20


def run(device: str, network: str, seconds: str) -> None:
    """Report the samples per second of all jobs together, for each number of jobs."""
    on_gpu = device != "cpu"
    counts = (1, 2, 4) if on_gpu else (2,)
    measure = partial(_measure, device, network, float(seconds), counts)
    measure("", ENVIRONMENT)
    if not on_gpu:
        report("with MPS", "not run: no CUDA device")
    elif not shutil.which(CONTROL):
        report("with MPS", f"not run: no {CONTROL}")
    else:
        try:
            with service() as environment:
                measure(", with MPS", ENVIRONMENT | environment)
                # Without a server the jobs would only have taken turns, and the numbers would not be of MPS.
                report("a server of MPS ran", bool(ask("get_server_list", ENVIRONMENT | environment).strip()))
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            # Some virtual machines do not let the service run; this is a fact about the machine and no fault.
            report("with MPS", f"failed: {error}")


def _measure(
    device: str, network: str, seconds: float, counts: tuple[int, ...], how: str, environment: Mapping[str, str]
) -> None:
    for n_jobs in counts:
        total = run_together("ours", network, (n_jobs, 1), seconds, device, environment)
        report(f"{n_jobs} job(s){how}", {"median": total, "min": total, "max": total})


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
