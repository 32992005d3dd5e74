"""Collect the runs of a study into four tidy tables: runs, megabatches, epochs and layers, one row each. No torch."""

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from anytime_pruning.foundation.errors import DataError, SettingError
from anytime_pruning.foundation.files import write_text
from anytime_pruning.foundation.safe_text import parse_yaml
from anytime_pruning.results import layout
from anytime_pruning.results.rows import Epoch, LayerRow, MegabatchRow
from anytime_pruning.results.store import REMEDY, check_files, read_metrics
from anytime_pruning.results.variants import AXES, name_variants, plain_settings

# The columns that each table of a run must have.
COLUMNS = {
    name: [column.name for column in fields(row)]
    for name, row in ((layout.MEGABATCHES, MegabatchRow), (layout.EPOCHS, Epoch), (layout.LAYERS, LayerRow))
}
# Columns of runs.csv, and where in metrics.json they stand.
FINALS = (
    *("test_acc_pct", "cumulative_error_count", "cumulative_error_rate", "generalization_gap_pct", "clean_gap_pct"),
    *("density", "kept_count", "prunable_count", "samples", "macs_kept", "macs_count"),
)
PLACES = {column: f"final.{column}" for column in FINALS} | {
    "data_sha256": "data_sha256",
    "parameter_count": "parameter_count",
    "precision": "precision",
    "dense_bytes": "size.dense_bytes",
    "sparse_bytes": "size.sparse_bytes",
    "planned_train_samples": "cost.planned_samples.train",
    "train_samples_per_s": "cost.train_samples_per_s",
    "train_s": "cost.train_s",
    "prune_s": "cost.prune_s",
    "stream_s": "cost.stream_s",
    "wall_time_s": "wall_time_s",
    "peak_memory_mb": "hardware.peak_memory_mb",
    "device": "hardware.gpu",
    "commit": "code.commit",
}
# Where a key may be absent, as a run on a CPU names no GPU: what stands in for it. Outside git there is no commit.
OTHERWISE = {"hardware.gpu": "hardware.processor"}
MAYBE_NULL = ("code.commit",)
TEXTS = ("data_sha256", "precision", "device", "commit")


def collect(names: list[str], runs_dir: Path, tables_dir: Path, present_only: bool = False) -> None:
    """Write runs.csv, megabatches.csv, epochs.csv and layers.csv.

    Args:
        names: of the runs, as folders below `runs_dir`.
        present_only: leave out runs that are not there yet, where no run can be trained; what is drawn from the tables
            then has to look for its runs, as the figures do.

    Raises:
        DataError: a run is missing or damaged, lacks a number, was written by another version of the code, or two runs
            on one dataset had different images. Nothing is written.
    """
    if present_only:
        present = [name for name in names if (runs_dir / name / layout.METRICS).exists()]
        # With none at all, the first is the one to complain about.
        names = present or names[:1]
    settings = {name: read_settings(runs_dir / name) for name in names}
    variants = name_variants(settings)
    finals = {name: read_final(runs_dir / name) for name in names}
    check_same_data({name: settings[name]["dataset"] for name in names}, finals)
    keys = pd.DataFrame(
        [{axis: settings[name][axis] for axis in AXES} | {"variant": variants[name], "run": name} for name in names]
    )
    tables = {"runs.csv": keys.join(pd.DataFrame([finals[name] for name in names]))}
    for series in COLUMNS:
        rows = pd.concat([read_rows(runs_dir / name / series) for name in names], keys=range(len(names)))
        tables[series] = keys.join(rows.droplevel(1))
    for name, table in tables.items():
        write_text(tables_dir / name, table.to_csv(index=False, lineterminator="\n"))


def names_in(table: Path) -> list[str]:
    """The runs that a collected table is of, in its order.

    Raises:
        DataError: it is missing or no such table.
    """
    try:
        return list(dict.fromkeys(pd.read_csv(table, usecols=["run"], dtype=str, keep_default_na=False)["run"]))
    except (OSError, ValueError) as error:
        raise DataError(f"{table}: not readable ({error})") from None


def read_settings(folder: Path) -> dict:
    """The settings of a run, with the dataset's name in place of its settings."""
    path = folder / layout.CONFIG
    try:
        settings = plain_settings(parse_yaml(str(path), _read(path)))
        return settings | {axis: settings[axis] for axis in AXES}
    except (SettingError, KeyError, TypeError):
        raise DataError(f"{path}: not readable; {REMEDY}") from None


def read_final(folder: Path) -> dict[str, Any]:
    """The final numbers of a run and what it cost; its other files are checked against their checksums."""
    path = folder / layout.METRICS
    metrics = read_metrics(folder)
    check_files(folder, metrics)
    return {column: _number_or_text(metrics, column, place, path) for column, place in PLACES.items()}


def read_rows(path: Path) -> pd.DataFrame:
    """One of the tables of a run.

    Raises:
        DataError: it is missing or damaged, or lacks a column or a number; the column is named.
    """
    try:
        rows = pd.read_csv(path)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; {REMEDY}") from None
    except ValueError:  # also what pandas raises for files that are no tables
        raise DataError(f"{path}: not readable; {REMEDY}") from None
    for column in COLUMNS[path.name]:
        if column not in rows:
            raise DataError(f"{path}: column {column} is missing; {REMEDY}")
        if is_numeric_dtype(rows[column]) and np.abs(rows[column].to_numpy()).max(initial=0) < 1e300:
            continue  # what follows says the same, at twenty times the cost
        texts = column == "layer"
        if rows[column].isna().any() or (not texts and not pd.to_numeric(rows[column], "coerce").abs().lt(1e300).all()):
            raise DataError(f"{path}: column {column} has a value that is no {'name' if texts else 'number'}; {REMEDY}")
    if rows.empty:
        raise DataError(f"{path}: no rows; {REMEDY}")
    return rows


def check_same_data(datasets: dict[str, str], finals: dict[str, dict]) -> None:
    """Runs that share a dataset's name must share its content, or a mean over them would mean nothing."""
    first: dict[str, str] = {}
    for name, dataset in datasets.items():
        reference = first.setdefault(dataset, name)
        if finals[name]["data_sha256"] != finals[reference]["data_sha256"]:
            raise DataError(
                f"{dataset}: {reference} and {name} were trained on different images of this name; "
                "give one of the datasets another name"
            )


def _number_or_text(metrics: dict, column: str, place: str, path: Path) -> Any:
    """A value of metrics.json by its dotted place, checked to be there and to be a finite number, or a text."""
    value = _at(metrics, place)
    if value is None and place in OTHERWISE:
        value = _at(metrics, OTHERWISE[place])
    if value is None and place in MAYBE_NULL:
        return None
    if value is None:
        raise DataError(f"{path}: {place} is missing; {REMEDY}")
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not (isinstance(value, str) if column in TEXTS else is_number):
        raise DataError(
            f"{path}: {place} is {value!r}, which is no {'text' if column in TEXTS else 'number'}; {REMEDY}"
        )
    return value


def _at(content: Any, place: str) -> Any:
    for key in place.split("."):
        content = content.get(key) if isinstance(content, dict) else None
    return content


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; this run has to be trained first") from None
