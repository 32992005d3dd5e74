"""Check the collected tables of a study by collecting its runs again."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from anytime_pruning.foundation.errors import ArtifactError, DataError, show
from anytime_pruning.results import layout
from anytime_pruning.results.collect import collect, names_in
from anytime_pruning.results.line_ends import check_line_ends
from anytime_pruning.verification.findings import Finding, count, problem


def check_tables(tables: Path) -> Iterator[Finding]:
    """Collect the runs that a study's tables name, and compare the result with the tables byte by byte.

    Args:
        tables: folder of the tables, beside the folder `runs`.

    Yields:
        A count of the tables, and a problem for each table that differs.
    """
    yield count("tables of studies")
    try:
        for stored, collected in collect_again(tables):
            yield from _compare(stored, collected)
    except ArtifactError as error:
        yield problem(str(error))


def collect_again(tables: Path) -> Iterator[tuple[Path, bytes]]:
    """Collect the runs that a study's tables name.

    Yields:
        The path of each stored table, and the content that it should have.

    Raises:
        DataError: the list of runs is damaged, or the runs cannot be collected.
    """
    runs_dir, list_of_runs = tables.parent / "runs", tables / "runs.csv"
    names = names_in(list_of_runs)
    if strangers := [name for name in names if not (runs_dir / name / layout.METRICS).exists()]:
        raise DataError(f"{list_of_runs}: names {show(strangers[0])}, which is not a finished run in {runs_dir}")
    with tempfile.TemporaryDirectory() as folder:
        try:
            collect(names, runs_dir, Path(folder))
        except ArtifactError as error:
            raise DataError(f"{tables}: cannot be collected again: {error}") from None
        for collected in sorted(Path(folder).iterdir()):
            yield tables / collected.name, collected.read_bytes()


def check_table(stored: Path, collected: bytes) -> None:
    """Check that a stored table is what collecting its runs again gives.

    Raises:
        LineEndsError: nothing but the line ends differs.
        DataError: the table differs or is missing.
    """
    if stored.exists() and stored.read_bytes() == collected:
        return
    if stored.exists():
        check_line_ends(stored, lambda content: content == collected)
    raise DataError(f"{stored}: differs from what collecting its runs again gives")


def _compare(stored: Path, collected: bytes) -> Iterator[Finding]:
    try:
        check_table(stored, collected)
    except DataError as error:
        yield problem(str(error))
