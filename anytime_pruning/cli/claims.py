"""Compare the paper's claims with the results of a study: the command `claims`."""

import argparse
from pathlib import Path

HELP = "compare the paper's claims with what a study measured"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("claims", type=Path, help="YAML file of claims")
    parser.add_argument("runs_list", type=Path, help="file with the names of the study's runs")
    parser.add_argument("runs_dir", type=Path, help="folder of the runs")
    parser.add_argument("tables_dir", type=Path, help="folder of the collected tables")
    parser.add_argument("stem", type=Path, help="output path without suffix")
    parser.add_argument("--record", type=Path, help="file that remembers what the verdicts come from")


def run(options: argparse.Namespace) -> None:
    """Write a table with a verdict on each claim and a note that counts missing runs."""
    from anytime_pruning.figures.catalog.kind import TableKind
    from anytime_pruning.figures.claims.definitions import TABLES
    from anytime_pruning.figures.claims.table import write_claims
    from anytime_pruning.figures.files import with_ending
    from anytime_pruning.results.made_from import recorded

    tables = [options.tables_dir / f"{name}.csv" for name in TABLES]
    product = [with_ending(options.stem, kind) for kind in TableKind.files]
    with recorded(options.record, [options.claims, options.runs_list, *tables], product):
        write_claims(options.claims, options.runs_list, options.runs_dir, options.tables_dir, options.stem)
