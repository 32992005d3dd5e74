"""Remember what a product was made from: content decides whether tables, figures and claims are current, never time.

A record is a small file beside a study's results. It holds a digest of the sources and of the code, and a digest of the
product itself. Records are not in git, so that a fresh clone makes every product once.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from anytime_pruning.foundation.files import file_sha256, remove_partial, walk, write_text

PACKAGE = Path(__file__).resolve().parents[1]
# Collecting and drawing import code from these places alone. An edit of this code makes tables, figures and claims
# again, but never trains a run again.
CODE = (
    "datasets",
    "figures",
    "foundation",
    "pruning/protocols",
    "pruning/schedules",
    "results",
    "settings",
    "stream/sizes.py",
)


@contextmanager
def recorded(
    record: Path | None, sources: Sequence[Path], product: Sequence[Path], values: Sequence[str] = ()
) -> Iterator[None]:
    """Let a block make a product, and record what the product was made from.

    Unfinished files that a killed process left beside the product are removed first. The sources are read before the
    block. If they change meanwhile, the product is not current and is made again.

    Args:
        record: the file of the record, or None for no record.
        sources: files and folders that the block reads.
        product: files and folders that the block writes.
        values: whatever else the product depends on and no source holds, such as the name of the study.
    """
    if record is None:
        yield
        return
    # A record is for a rule of the workflow, and no other process writes what the rule makes.
    for path in product:
        remove_partial(path) if path.is_dir() else remove_partial(path.parent, path.name)
    made_from = _digest_of_sources(sources, values)
    yield
    write_text(record, _content(made_from, product))


def is_current(record: Path, sources: Sequence[Path], product: Sequence[Path], values: Sequence[str] = ()) -> bool:
    """Return whether a product is what the present sources, values and code once made."""
    try:
        return record.read_text(encoding="utf-8") == _content(_digest_of_sources(sources, values), product)
    except (OSError, ValueError):
        return False


@cache
def code_digest() -> str:
    """Return a digest of all code that decides about tables, figures and claims."""
    places = (PACKAGE / place for place in CODE)
    files = (path for place in places for path in (_code_in(place) if place.is_dir() else [place]))
    return _digest(f"{path.relative_to(PACKAGE)} {file_sha256(path)}" for path in files)


def _code_in(folder: Path) -> list[Path]:
    """Return the modules and the templates of pages below a folder."""
    return sorted(path for path in walk(folder) if path.suffix in (".py", ".html"))


def _content(made_from: str, product: Sequence[Path]) -> str:
    return f"made from {made_from}\nproduct {_digest(_lines(product))}\n"


def _digest_of_sources(sources: Sequence[Path], values: Sequence[str]) -> str:
    return _digest([code_digest(), *_lines(sources), *values])


def _lines(paths: Iterable[Path]) -> Iterator[str]:
    """Yield the name and the checksum of every file; the names of folders do not count, because checkouts move."""
    for path in paths:
        if path.is_dir():
            yield from (f"{file.relative_to(path)} {_sha256(file)}" for file in _files_in(path))
        else:
            yield f"{path.name} {_sha256(path)}"


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in walk(folder) if path.is_file() and not path.name.startswith("."))


def _sha256(path: Path) -> str:
    """Return the checksum of a file; one process reads an unchanged file only once."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return "missing"
    return _sha256_of_version(path, status.st_ino, status.st_size, status.st_mtime_ns)


@cache
def _sha256_of_version(path: Path, *version: int) -> str:
    return file_sha256(path)


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")).hexdigest()
