"""Measure, test and train on a borrowed GPU, in calls of limited length that go on where the last one stopped.

The stages, in their order: probe, tests, speed, profile, compile, sharing, resume, evidence. Each part of a stage is a
process with a time limit. DIR/gpu-day.json is replaced after every measurement, and finished parts are skipped in the
next call. A part that failed is tried again in the next call, after all others. What is running when the time is up
gets SIGTERM; training then keeps its place.

DIR/results/ holds the runs of the evidence in the layout of results/, so a study's folder can be copied there.
DIR/<name of the GPU>.json holds the speeds for benchmarks/results/, where the estimates of studies find them.
DIR/gpu-day.tar.xz packs what is small: the numbers, the logs and the results without weights.

Runs of small networks leave most of a GPU idle: `--jobs 8` trains eight side by side, with NVIDIA's MPS where the
machine lets it run.

Exit status: 0 if everything is done, 3 if a next call has to go on, 1 if everything else is done and a part failed,
2 for a user's mistake.
"""

import argparse
import os
import sys
from pathlib import Path

from anytime_pruning.foundation.errors import ArtifactError
from benchmarks.gpu_day.conduct import Clock, conduct
from benchmarks.gpu_day.pack import pack_small_files
from benchmarks.gpu_day.plan import STAGES, Day, plan_parts
from benchmarks.gpu_day.record import Record
from benchmarks.gpu_day.speeds import publish_speeds
from benchmarks.gpu_day.summary import summarize
from benchmarks.jobs import ROOT


def main(arguments: list[str] | None = None, clock: Clock | None = None) -> int:
    """Run the stages that are not finished, print a short table, and return the exit status.

    Args:
        arguments: arguments of the command line; None means those of this process.
        clock: tells how much time is left; by default as much as `--seconds` says.
    """
    options = _parse(arguments)
    try:
        day = Day(
            out=options.out.absolute(),
            data=(options.data or (options.out if options.rehearse else ROOT) / "data").absolute(),
            rehearse=options.rehearse,
            compile=options.compile,
            studies=tuple(options.study or ()),
            jobs=options.jobs,
        )
        parts = plan_parts(day)
        record = Record(day.out, options.rehearse)
        chosen = [part for part in parts if STAGES.index(part.stage) >= STAGES.index(options.start)]
        status = conduct(chosen, record, clock or Clock(options.seconds), day)
    except ArtifactError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    publish_speeds(record.content, day.out)
    packed = pack_small_files(day.out)
    print(summarize(record.content, [part for part in parts if part in chosen or part.name in record.content["parts"]]))
    print(f"{record.path} holds all numbers, {packed} everything that is small; exit status {status}")
    return status


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_day", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for everything that is written")
    parser.add_argument("--seconds", type=float, default=540, help="length of this call (default: 540)")
    stages = ", ".join(STAGES)
    parser.add_argument(
        "--from", dest="start", choices=STAGES, default=STAGES[0], metavar="STAGE", help=f"begin at one of: {stages}"
    )
    parser.add_argument("--data", type=Path, help="folder of the data (default: data, in a rehearsal DIR/data)")
    parser.add_argument(
        "--study", type=Path, action="append", metavar="YAML", help="a study to train, instead of the two GPU studies"
    )
    parser.add_argument("--compile", action="store_true", help="train the evidence with torch.compile")
    parser.add_argument(
        "--jobs", type=_positive, default=1, help="number of runs of the evidence to train side by side (default: 1)"
    )
    parser.add_argument("--rehearse", action="store_true", help="go through all stages on a CPU, with tiny networks")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: use a whole number of at least 1")
    return int(text)


if __name__ == "__main__":
    # Measurements are followed line by line, also through a pipe.
    os.environ["PYTHONUNBUFFERED"] = "1"
    sys.stdout.reconfigure(line_buffering=True)
    sys.exit(main())
