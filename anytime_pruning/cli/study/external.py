"""Add test errors of other people's programs to a study: the command `import`."""

import argparse
from pathlib import Path

HELP = "add test errors of another program to a study's figures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("file", type=Path, help="CSV file with the columns seed, t, error_count and test_count")
    parser.add_argument("config", type=Path, help="the study's YAML file")
    parser.add_argument("--name", help="name of the program, for legends and tables")
    parser.add_argument("--dataset", help="dataset of the stream (needed if the study has several)")
    parser.add_argument("--model", help="network (needed if the study has several)")
    parser.add_argument("--n-megabatches", metavar="T", help="length of the stream (needed if the study has several)")


def run(options: argparse.Namespace) -> None:
    """Check a CSV file of test errors and copy it beside the runs of a study.

    The file has a row for each seed and each megabatch: `seed`, `t` (from 1), `error_count` (misclassified test images
    after the megabatch) and `test_count`. `make figures` then shows it in `external.md` and the figures `external-...`,
    labelled external. `stream export` says on which images the program has to be trained.
    """
    from anytime_pruning.foundation.errors import SettingError, show
    from anytime_pruning.foundation.safe_text import read_yaml
    from anytime_pruning.results.external import (
        KEYS,
        check_streams,
        external_path,
        external_results,
        read_external,
        write_external,
    )
    from anytime_pruning.results.layout import RESULTS
    from anytime_pruning.settings.study import plan_study

    study, planned = plan_study(read_yaml(options.config))
    streams = {(run.settings.dataset.name, run.settings.model, run.settings.n_megabatches) for run in planned}
    usual = {}
    for place, key in enumerate(("dataset", "model", "n_megabatches")):
        values = {stream[place] for stream in streams}
        usual[key] = values.pop() if len(values) == 1 else None
    result = read_external(options.file, {key: getattr(options, key) for key in KEYS}, usual)
    check_streams([result], (run.settings for run in planned))
    for other in external_results(RESULTS / study.study):
        if external_path(other) == external_path(result) and other.name != result.name:
            raise SettingError(
                f"name: {show(result.name)} is not allowed: {show(other.name)} has a file of the same name; allowed: a "
                "name that differs in its letters or digits"
            )
    print(f"{write_external(result, RESULTS / study.study)}: {len(result.errors)} seeds")
