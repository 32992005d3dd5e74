"""Put right the line ends of stored results that git turned, wherever the checks find nothing else."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from anytime_pruning.foundation.errors import DataError
from anytime_pruning.results import layout
from anytime_pruning.results.line_ends import LineEndsError, restore_line_ends
from anytime_pruning.results.store import check_files, read_metrics
from anytime_pruning.verification.tables import check_table, collect_again


def restore_all_line_ends(runs: Iterable[Path], tables: Iterable[Path]) -> int:
    """Give line feeds back to the texts of runs and to collected tables.

    A file is changed only if it then is what was written, by its checksum or, for a table, by collecting the runs
    again. A file that is damaged in another way stays as it is.

    Args:
        runs: folders of runs.
        tables: folders of collected tables.

    Returns:
        The number of files that were changed.
    """
    checks = [check for folder in runs for check in _checks_of_run(folder)]
    changed = sum(map(_restore, checks))
    # The tables are collected from the runs, which have to be right before.
    return changed + sum(_restore(check) for folder in tables for check in _checks_of_tables(folder))


def _checks_of_run(folder: Path) -> Iterator[Callable[[], object]]:
    yield partial(read_metrics, folder)
    for name in layout.TEXTS:
        yield partial(_check_text, folder, name)


def _check_text(folder: Path, name: str) -> None:
    # The checksums are read only now, because metrics.json may have been put right since.
    check_files(folder, read_metrics(folder).files, [name])


def _checks_of_tables(folder: Path) -> Iterator[Callable[[], object]]:
    with suppress(DataError):
        for stored, collected in collect_again(folder):
            yield partial(check_table, stored, collected)


def _restore(check: Callable[[], object]) -> int:
    """Put the file right of which a check says that only its line ends are changed; return the number of such files."""
    try:
        check()
    except LineEndsError as error:
        restore_line_ends(error.path)
        return 1
    except DataError:
        pass
    return 0
