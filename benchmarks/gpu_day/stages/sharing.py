"""Measure 1, 2, 4 and 8 jobs on one GPU, with and without NVIDIA's Multi-Process Service. This process holds no GPU."""

import shutil
import subprocess
from collections.abc import Mapping
from functools import partial

from benchmarks.gpu_day.mps import CONTROL, ask, service
from benchmarks.gpu_day.stages import report
from benchmarks.jobs import ENVIRONMENT, run_together


def run(device: str, network: str, seconds: str) -> None:
    """Report the samples per second of all jobs together, for each number of jobs."""
    on_gpu = device != "cpu"
    counts = (1, 2, 4, 8) if on_gpu else (2,)
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
