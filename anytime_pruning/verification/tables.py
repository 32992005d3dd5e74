"""Check the collected tables of a study by collecting its runs again."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from anytime_pruning.foundation.errors import ArtifactError, DataError, show
from anytime_pruning.results import layout
from anytime_pruning.results.collect import collect, names_in
from anytime_pruning.verification.findings import Finding, count, problem


def check_tables(tables: Path) -> Iterator[Finding]:
    """Collect the runs that a study's tables name, and compare the result with the tables byte by byte.

    Args:
        tables: folder of the tables, beside the folder `runs`.

    Yields:
        A count of the tables, and a problem for each table that differs.
    """
    yield count("tables of studies")
    runs_dir, list_of_runs = tables.parent / "runs", tables / "runs.csv"
    try:
        names = names_in(list_of_runs)
    except DataError as error:
        yield problem(str(error))
        return
    if strangers := [name for name in names if not (runs_dir / name / layout.METRICS).exists()]:
        yield problem(f"{list_of_runs}: names {show(strangers[0])}, which is not a finished run in {runs_dir}")
        return
    try:
        with tempfile.TemporaryDirectory() as folder:
            collect(names, runs_dir, Path(folder))
            for collected in sorted(Path(folder).iterdir()):
                stored = tables / collected.name
                if not stored.exists() or stored.read_bytes() != collected.read_bytes():
                    yield problem(f"{stored}: differs from what collecting its runs again gives")
    except ArtifactError as error:
        yield problem(f"{tables}: cannot be collected again: {error}")
