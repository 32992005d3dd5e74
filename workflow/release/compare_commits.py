"""Train the golden run at two commits, and print the first training step at which their losses differ.

    make compare A=COMMIT B=COMMIT     # without B, the files of the checkout as they are

Each commit's own package computes, from a copy of its files in a temporary folder, so the checkout stays as it is. Both
use the packages of this environment. The exit status is that of `diff`: 0 if nothing differs, 1 if something does, and
2 if a commit could not be trained. So `git bisect run` finds the commit that changed the numbers:

    git bisect run python workflow/release/compare_commits.py GOOD
"""

import argparse
import csv
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
RECORDER = Path(__file__).parent / "record_losses.py"
# The command line has known these options since the first commit. tests/whole/golden.py names the run's settings.
OPTIONS = {
    "dataset": "digits",
    "model": "resnet20",
    "n_megabatches": 3,
    "train_limit": 120,
    "epochs": 2,
    "lr_milestones": [1],
    "batch_size": 16,
    "lr": 0.05,
    "precision": "float32",
}
TABLES = ("megabatches.csv", "epochs.csv", "layers.csv")


class UntrainableError(Exception):
    """Signals that a commit does not exist or does not train the golden run; the message is one line."""


@dataclass(frozen=True)
class Trained:
    """Holds what one commit computed.

    Attributes:
        name: the commit, with its subject.
        losses: the loss of each training step.
        tables: the rows of each table, without times.
    """

    name: str
    losses: list[float]
    tables: dict[str, list[dict[str, str]]]


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Compare two commits of the repository in a folder, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a", metavar="A", help="a commit")
    parser.add_argument("b", metavar="B", nargs="?", help="another commit (default: the files of the checkout)")
    options = parser.parse_args(arguments)
    try:
        with ThreadPoolExecutor() as pool:
            a, b = pool.map(train, (options.a, options.b), (root, root))
    except UntrainableError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    found = compare(a, b)
    same = f"No difference: the losses of all {len(a.losses)} steps and all tables are equal."
    print(f"A is {a.name}", f"B is {b.name}", found or same, sep="\n")
    return 1 if found else 0


def train(commit: str | None, root: Path) -> Trained:
    """Train the golden run with the package of a commit; None stands for the files of the checkout.

    Raises:
        UntrainableError: the commit does not exist, or its package refuses or fails.
    """
    shown = ("log", "-1", "--format=%h %s")
    name = "the checkout" if commit is None else _git(root, *shown, commit, "--").decode(errors="replace").strip()
    with tempfile.TemporaryDirectory() as folder:
        code, out, losses = Path(folder) / "code", Path(folder) / "run", Path(folder) / "losses"
        code.mkdir()
        if commit is not None:
            with tarfile.open(fileobj=io.BytesIO(_git(root, "archive", commit))) as archive:
                archive.extractall(code, filter="data")
        execution = {"device": "cpu", "threads": 1, "data_dir": f"{folder}/data"}
        options = OPTIONS | {"execution": execution}
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in options.items()}
        words = [f"--{key.replace('_', '-')}={text}" for key, text in texts.items()]
        done = subprocess.run(
            [sys.executable, str(RECORDER), str(losses), "train", *words, "--out", str(out)],
            cwd=root if commit is None else code,
            env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
            raise UntrainableError(f"{name}: the golden run cannot be trained: {said}")
        values = [float(line) for line in losses.read_text(encoding="utf-8").splitlines()]
        tables = {path.name: _read(path) for path in map(out.joinpath, TABLES) if path.exists()}
    if not values:
        raise UntrainableError(f"{name}: no training step was seen; record_losses.py says where it looks")
    return Trained(name, values, tables)


def compare(a: Trained, b: Trained) -> str | None:
    """Return a description of the first difference and of how many there are, or None if there is none."""
    count = min(len(a.losses), len(b.losses))
    lengths = "" if len(a.losses) == len(b.losses) else f" A has {len(a.losses)} steps and B has {len(b.losses)}."
    # `repr` tells every bit, and finds that NaN equals itself.
    differing = [i for i in range(count) if repr(a.losses[i]) != repr(b.losses[i])]
    if not differing:
        return f"All of the first {count} steps are equal, but{lengths}" if lengths else _compare_tables(a, b)
    was, now = a.losses[differing[0]], b.losses[differing[0]]
    largest = max(abs(a.losses[i] - b.losses[i]) for i in differing)
    return (
        f"The losses differ from step {differing[0] + 1} of {count} on: {was!r} in A and {now!r} in B "
        f"({now - was:+.3g}). They differ at {len(differing)} steps, by up to {largest:.3g}.{lengths}"
    )


def _compare_tables(a: Trained, b: Trained) -> str | None:
    """Return where the tables first differ. Columns that only one commit has are not compared."""
    for name, rows in a.tables.items():
        others = b.tables.get(name, [])
        said = f"No loss differs, but {name} does, first in row"
        for number, (row, other) in enumerate(zip(rows, others, strict=False), 1):
            for column in (column for column in row if column in other and row[column] != other[column]):
                return f"{said} {number}, column {column}: {row[column]} in A and {other[column]} in B."
        if len(rows) != len(others):
            return f"{said} {min(len(rows), len(others)) + 1}: A has {len(rows)} rows and B has {len(others)}."
    return None


def _git(root: Path, *arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True)
    if done.returncode:
        raise UntrainableError(done.stderr.decode(errors="replace").strip().splitlines()[0])
    return done.stdout


def _read(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8") as file:
        return [{key: value for key, value in row.items() if "seconds" not in key} for row in csv.DictReader(file)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
