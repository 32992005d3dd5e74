"""Run a notebook on the results of a study: the command `walkthrough`."""

import argparse
from pathlib import Path

HELP = "run a notebook on a study's results and write it as one HTML page"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("notebook", type=Path, help="Jupyter notebook")
    parser.add_argument("study", help="name of the study")
    parser.add_argument("page", type=Path, help="HTML file to write")
    parser.add_argument("--record", type=Path, help="file that remembers what the page was made from")


def run(options: argparse.Namespace) -> None:
    """Run the notebook in the working folder and write its outputs as one HTML page."""
    from anytime_pruning.figures.report.notebook import write_page
    from anytime_pruning.orchestration.study_paths import StudyPaths
    from anytime_pruning.results.made_from import recorded

    paths = StudyPaths(options.study)
    sources = [options.notebook, *map(Path, (paths.figure_plan, paths.tables, paths.figures))]
    with recorded(options.record, sources, [options.page], [options.study]):
        write_page(options.notebook, options.study, options.page)
