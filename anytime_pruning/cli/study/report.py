"""Write the report of a study as one HTML page: the command `report`."""

import argparse
import json
from pathlib import Path

HELP = "write a study's verdicts, walk-through, figures and tables as one HTML page"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("study", help="name of the study")
    parser.add_argument("page", type=Path, help="HTML file to write")
    parser.add_argument("--record", type=Path, help="file that remembers what the page was made from")


def run(options: argparse.Namespace) -> None:
    """Put everything that the workflow drew for a study into one page, which needs no network."""
    from anytime_pruning.figures.catalog import Figure
    from anytime_pruning.figures.report.page import write_report
    from anytime_pruning.foundation.errors import SettingError
    from anytime_pruning.orchestration.study_paths import StudyPaths
    from anytime_pruning.results.made_from import recorded

    paths = StudyPaths(options.study)
    if not Path(paths.figure_plan).is_file():
        raise SettingError(
            f"study: {options.study!r} is not allowed: {paths.figure_plan} is not there; allowed: a study that "
            "the workflow has drawn"
        )
    sources = [Path(path) for path in (paths.figure_plan, paths.figures, paths.walkthrough)]
    with recorded(options.record, sources, [options.page], [options.study]):
        content = json.loads(Path(paths.figure_plan).read_text(encoding="utf-8"))
        plan = {name: Figure.from_json(figure) for name, figure in content.items()}
        write_report(options.study, plan, Path(paths.figures), Path(paths.walkthrough), options.page)
