"""Write the final numbers of each series of a study for `dvc metrics`: the command `metrics`."""

import argparse
from pathlib import Path

HELP = "write the final numbers of each series, for dvc metrics"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("table", type=Path, help="the collected table runs.csv")
    parser.add_argument("folder", type=Path, help="folder for the files; everything else in this folder is removed")
    parser.add_argument("--record", type=Path, help="file that remembers what the numbers come from")


def run(options: argparse.Namespace) -> None:
    """Write a JSON file for each series into a folder that then holds nothing else."""
    from anytime_pruning.figures.series_metrics import write_metrics
    from anytime_pruning.results.made_from import recorded

    with recorded(options.record, [options.table], [options.folder]):
        write_metrics(options.table, options.folder)
