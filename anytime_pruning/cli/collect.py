"""Collect runs into tables: the command `collect`."""

import argparse
from pathlib import Path

HELP = "collect runs into tables"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("runs_list", type=Path, help="file with the names of the runs, one a line")
    parser.add_argument("runs_dir", type=Path, help="folder of the runs")
    parser.add_argument("tables_dir", type=Path, help="folder for the tables")
    parser.add_argument("--present-only", action="store_true", help="leave out runs that do not exist")
    parser.add_argument("--record", type=Path, help="file that remembers what the tables were collected from")


def run(options: argparse.Namespace) -> None:
    """Collect all runs of a list in four tidy tables: runs.csv, megabatches.csv, epochs.csv and layers.csv."""
    from anytime_pruning.results.collect import collect
    from anytime_pruning.results.layout import COLLECTED_TABLES, METRICS
    from anytime_pruning.results.made_from import recorded
    from anytime_pruning.results.run_list import read_runs_list

    names = read_runs_list(options.runs_list)
    sources = [options.runs_list, *(options.runs_dir / name / METRICS for name in names)]
    with recorded(options.record, sources, [options.tables_dir / f"{table}.csv" for table in COLLECTED_TABLES]):
        collect(names, options.runs_dir, options.tables_dir, options.present_only)
