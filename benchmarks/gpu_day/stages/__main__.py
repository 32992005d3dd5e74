"""Run one stage: `python -m benchmarks.gpu_day.stages STAGE DEVICE ARGUMENTS`."""

import signal
import sys
from importlib import import_module

STAGES = ("probe", "speed", "profile", "compile", "sharing", "resume")


def main(arguments: list[str]) -> None:
    """Import the module of a stage and call its function `run` with the other arguments."""
    stage, *rest = arguments
    if stage not in STAGES:
        sys.exit(f"{stage} is not a stage; allowed: {', '.join(STAGES)}")
    # SIGTERM ends the stage like an error, so that what it started is ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    module = "speed" if stage == "compile" else stage
    work = import_module(f"benchmarks.gpu_day.stages.{module}")
    (work.run_compiled if stage == "compile" else work.run)(*rest)


if __name__ == "__main__":
    main(sys.argv[1:])
