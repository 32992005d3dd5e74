"""Draw one planned figure, or write one planned table, of a study: the command `draw`."""

import argparse
from pathlib import Path

HELP = "draw one figure or write one table of a study"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("plan", type=Path, help="JSON file with the planned figures of the study")
    parser.add_argument("name", help="name of one of the planned figures")
    parser.add_argument("tables_dir", type=Path, help="folder of the collected tables")
    parser.add_argument("stem", type=Path, help="output path without suffix")
    parser.add_argument("--record", type=Path, help="file that remembers what the figure was drawn from")


def run(options: argparse.Namespace) -> None:
    """Draw a figure from all its runs, or write a file that names the missing runs."""
    from anytime_pruning.figures.draw import draw, read_figure
    from anytime_pruning.figures.files import named_in_errors, with_ending
    from anytime_pruning.results.made_from import recorded

    with named_in_errors(options.name, options.tables_dir):
        figure = read_figure(options.plan, options.name)
    sources = [options.plan, *(options.tables_dir / f"{table}.csv" for table in figure.tables)]
    product = [with_ending(options.stem, kind) for kind in figure.kinds]
    with recorded(options.record, sources, product), named_in_errors(options.name, options.tables_dir):
        draw(figure, options.tables_dir, options.stem)
