"""Read the test errors of one program on one stream from a CSV file, and check them."""

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anytime_pruning.foundation.errors import DataError, SettingError, show
from anytime_pruning.results.external.result import FOLDER, KEYS, NUMBERS, ExternalResult

MAX_ROWS = 100_000
# A name is also that of a file, and is printed in legends and tables.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ,.+()_-]{0,39}")


def read_external(
    path: Path, given: Mapping[str, Any] | None = None, usual: Mapping[str, Any] | None = None
) -> ExternalResult:
    """Read the test errors of one program on one stream from a CSV file.

    The file has the columns `seed`, `t`, `error_count` and `test_count`, and a row for each seed and each megabatch, in
    any order. It may also have `name`, `dataset`, `model` and `n_megabatches`, which are the same in each row.

    Args:
        path: the file.
        given: values of the latter columns that the user states; None as a value states nothing.
        usual: values of these columns for a file without them, where the user states none.

    Raises:
        SettingError: the name is not allowed, a column is neither in the file nor known, or the user states another
            value than the file.
        DataError: the file cannot be read, or is not such a table; the message names the line.
    """
    rows = _read(path)
    stated = {key: value for key, value in (given or {}).items() if value is not None}
    for key, value in stated.items():
        if (column := rows[0].get(key)) not in (None, value):
            raise SettingError(f"{key}: {show(value)} is not allowed: {path} has {show(column)} in its column {key}")
    keys = {key: rows[0].get(key) or stated.get(key) or (usual or {}).get(key) for key in KEYS}
    if missing := [key for key, value in keys.items() if value is None]:
        raise SettingError(f"{path}: column {missing[0]} is missing; allowed: a column or the option of this name")
    if not NAME.fullmatch(str(keys["name"])):
        raise SettingError(
            f"name: {show(keys['name'])} is not allowed; allowed: up to 40 letters, digits, spaces and , . + ( ) _ -, "
            "the first a letter or a digit"
        )
    length = _whole(path, 2, "n_megabatches", str(keys["n_megabatches"]))
    errors, test_count = _gather(path, rows)
    for seed, found in errors.items():
        if sorted(found) != list(range(1, length + 1)):
            raise DataError(
                f"{path}: seed {seed} has {len(found)} megabatches; wanted: t from 1 to {length}, each once"
            )
    by_seed = {seed: [errors[seed][t] for t in range(1, length + 1)] for seed in sorted(errors)}
    return ExternalResult(
        str(keys["name"]), str(keys["dataset"]), str(keys["model"]), length, test_count, by_seed, path
    )


def external_results(study: Path) -> list[ExternalResult]:
    """Return everything that was written beside the runs of a study, in the order of the files' names.

    Raises:
        DataError: a file is damaged.
    """
    found: dict[tuple[str, tuple[str, str, int]], ExternalResult] = {}
    for path in sorted((study / FOLDER).glob("*.csv")):
        result = read_external(path)
        if found.setdefault((result.name, result.stream), result) is not result:
            raise DataError(f"{path}: another file has results of {show(result.name)} on the same stream")
    return list(found.values())


def _gather(path: Path, rows: list[dict[str, str]]) -> tuple[dict[int, dict[int, int]], int]:
    """Return the errors by seed and megabatch, and the number of test images."""
    errors: dict[int, dict[int, int]] = {}
    counts: set[int] = set()
    for line, row in enumerate(rows, start=2):
        if other := [key for key in KEYS if row.get(key) not in (None, rows[0].get(key))]:
            raise DataError(f"{path}, line {line}: {other[0]} is {show(row[other[0]])}; a file holds one program")
        seed, t, count, test_count = (_whole(path, line, column, row[column]) for column in NUMBERS)
        if count > test_count:
            raise DataError(f"{path}, line {line}: error_count is {count}, more than test_count {test_count}")
        if t in errors.setdefault(seed, {}):
            raise DataError(f"{path}, line {line}: seed {seed} has t = {t} twice")
        errors[seed][t] = count
        counts.add(test_count)
    if len(counts) != 1 or counts == {0}:
        raise DataError(f"{path}: test_count is {', '.join(map(str, sorted(counts)))}; wanted: one number above 0")
    return errors, counts.pop()


def _read(path: Path) -> list[dict[str, str]]:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows = [row for _, row in zip(range(MAX_ROWS + 1), reader)]
            columns = list(reader.fieldnames or [])
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    except (ValueError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV file: {error}") from None
    for column in NUMBERS:
        if columns.count(column) != 1:
            raise DataError(f"{path}: column {column} is {'there twice' if column in columns else 'missing'}")
    if unknown := [column for column in columns if column not in (*KEYS, *NUMBERS)]:
        raise DataError(f"{path}: column {show(unknown[0])} is not known; allowed: {', '.join((*NUMBERS, *KEYS))}")
    if not rows or len(rows) > MAX_ROWS:
        raise DataError(f"{path}: {'no' if not rows else f'more than {MAX_ROWS:,}'} rows")
    return rows


def _whole(path: Path, line: int, column: str, text: str | None) -> int:
    if text is None or not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise DataError(f"{path}, line {line}: {column} is {show(text)}, no whole number")
    return int(text)
