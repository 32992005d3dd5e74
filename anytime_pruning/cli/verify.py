"""Check stored results again: the command `verify`."""

import argparse
import sys
from pathlib import Path

HELP = "check stored results again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("paths", type=Path, nargs="+", metavar="FOLDER", help="a run, a study, or a folder of them")
    parser.add_argument("--no-evaluate", action="store_true", help="do not test the networks again")
    parser.add_argument(
        "--restore-line-ends", action="store_true", help="first restore line endings that git converted"
    )
    parser.add_argument("--data-dir", metavar="DIR", help="folder of the images (default: as the runs say)")


def run(options: argparse.Namespace) -> None:
    """Check stored results again: checksums, names, numbers, weights, tables, and networks on their test images."""
    from tqdm import tqdm

    from anytime_pruning.foundation.errors import VerificationError, one_line
    from anytime_pruning.foundation.fields import check_path
    from anytime_pruning.verification.findings import Verification
    from anytime_pruning.verification.stored import verify

    data_dir = None if options.data_dir is None else check_path("data_dir", options.data_dir)
    if options.restore_line_ends:
        _restore_line_ends(options.paths)
    told, done = 0, Verification()
    with tqdm(desc="verifying", unit=" runs", disable=not sys.stderr.isatty(), leave=False) as bar:
        for done in verify(options.paths, not options.no_evaluate, data_dir):
            for problem in done.problems[told:]:
                bar.write(one_line(f"problem: {problem}"), file=sys.stderr)
            told = len(done.problems)
            bar.update(done.counts["runs"] - bar.n)
    for note, count in done.notes.items():
        print(one_line(f"{count}x {note}" if count > 1 else note))
    if done.problems:
        raise VerificationError(str(done))
    print(done)


def _restore_line_ends(paths: list[Path]) -> None:
    from anytime_pruning.verification.line_ends import restore_all_line_ends
    from anytime_pruning.verification.stored import find_stored

    found = [find_stored(path) for path in paths]
    runs = [folder for folders, _, _ in found for folder in folders]
    changed = restore_all_line_ends(runs, [folder for _, _, tables in found for folder in tables])
    # Git goes by the size that it noted at the checkout, until it is asked to look again.
    again = f"; git sees no change after git add --update {paths[0]}" if changed else ""
    print(f"the line endings of {changed} files are restored{again}")
