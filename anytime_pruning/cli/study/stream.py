"""Write which image arrives with which megabatch: the command `stream export`."""

import argparse
from pathlib import Path

HELP = "write the images of a study's streams, for other programs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("action", choices=["export"], help="what to do")
    parser.add_argument("config", type=Path, help="a study's YAML file")
    parser.add_argument(
        "--out", type=Path, default=Path("streams"), metavar="DIR", help="folder for the files (default: streams)"
    )


def run(options: argparse.Namespace) -> None:
    """Write a CSV file for each stream of a study, and beside it its checksum as sha256sum reads it.

    Each row names one image: its megabatch, whether it is trained on or held out for validation, its place among the
    training images, its label and the SHA-256 of its pixels. Runs that differ in anything but the dataset, the number
    of megabatches, the share of validation images, the limit of images and the seed have the same stream.
    """
    import hashlib

    from anytime_pruning.datasets import load_dataset
    from anytime_pruning.foundation.files import write_text
    from anytime_pruning.foundation.safe_text import read_yaml
    from anytime_pruning.runs.stream_listing import distinct_streams, list_stream
    from anytime_pruning.settings.study import plan_study

    _, planned = plan_study(read_yaml(options.config))
    for settings in distinct_streams(run.settings for run in planned):
        arrays = load_dataset(settings.dataset, settings.execution.data_dir)
        text = list_stream(settings, arrays)
        digest = hashlib.sha256(text.encode()).hexdigest()
        name = f"{settings.dataset.name}-T{settings.n_megabatches}-seed{settings.seed}-{digest[:8]}.csv"
        write_text(options.out / name, text)
        write_text(options.out / f"{name}.sha256", f"{digest}  {name}\n")
        print(f"{options.out / name}: {text.count(chr(10)) - 1:,} images")
