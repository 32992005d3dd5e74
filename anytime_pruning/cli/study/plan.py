"""Write the plan of a study for the jobs of a workflow: the command `plan`."""

import argparse
from pathlib import Path

HELP = "write the lists of a study's runs and figures, for the workflow"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("study", help="the study as the Snakefile hands it over")
    parser.add_argument("--present-only", action="store_true", help="remove figures whose runs are not all there")
    parser.add_argument(
        "--out", type=Path, default=Path(), metavar="DIR", help="folder below which to write (default: this one)"
    )


def run(options: argparse.Namespace) -> None:
    """Write the list of runs and the plan of the figures, which the jobs of a workflow read."""
    from anytime_pruning.orchestration.calls.handover import unpack
    from anytime_pruning.orchestration.plan import make_plan

    plan = make_plan(unpack(options.study))
    plan.write(options.out)
    if options.present_only:
        plan.remove_incomplete_figures(options.out)
