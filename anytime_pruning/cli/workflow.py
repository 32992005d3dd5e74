"""Set up a folder for the user's own workflow: the command `workflow`."""

import argparse
from pathlib import Path

from anytime_pruning.orchestration.scaffold import set_up_workflow

HELP = "put a Snakefile, a configuration and profiles into a folder of your own"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the folder, which is made if it is missing."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder, made if it is missing")


def run(options: argparse.Namespace) -> None:
    """Write the files of a workflow into a folder, print their names, and say how to run the workflow."""
    for path in set_up_workflow(options.folder):
        print(path)
    print(f"Edit {options.folder / 'config' / 'demo.yaml'}, then call snakemake --cores all in {options.folder}.")
