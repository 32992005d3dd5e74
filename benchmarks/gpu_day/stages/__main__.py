"""Run one stage: `python -m benchmarks.gpu_day.stages STAGE DEVICE ARGUMENTS`."""

import signal
import sys
from collections.abc import Callable


def main(arguments: list[str]) -> None:
    """Call the function of a stage with the other arguments."""
    stage, *rest = arguments
    # SIGTERM ends the stage like an error, so that what it started is ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    _find(stage)(*rest)


def _find(stage: str) -> Callable[..., None]:
    """Return the function of a stage, and import only this stage: one that shares the GPU must not hold it itself."""
    if stage == "probe":
        from benchmarks.gpu_day.stages.probe import run
    elif stage == "speed":
        from benchmarks.gpu_day.stages.speed import run
    elif stage == "compile":
        from benchmarks.gpu_day.stages.speed import run_compiled as run
    elif stage == "candidates":
        from benchmarks.gpu_day.stages.speed import run_candidates as run
    elif stage == "profile":
        from benchmarks.gpu_day.stages.profile import run
    elif stage == "sharing":
        from benchmarks.gpu_day.stages.sharing import run
    elif stage == "resume":
        from benchmarks.gpu_day.stages.resume import run
    else:
        sys.exit(f"{stage} is not a stage that measures")
    return run


if __name__ == "__main__":
    main(sys.argv[1:])
