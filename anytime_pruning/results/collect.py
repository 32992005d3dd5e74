"""Collect the runs of a study into four tidy tables: runs, megabatches, epochs and layers, with one row each."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from anytime_pruning.foundation.errors import DataError
from anytime_pruning.foundation.files import write_text
from anytime_pruning.foundation.metrics import TRAINING_PASSES
from anytime_pruning.results import layout
from anytime_pruning.results.metrics_file import REMEDY, MetricsFile
from anytime_pruning.results.rows import NEWER_COLUMNS, TABLES
from anytime_pruning.results.store import check_files, read_metrics, read_settings
from anytime_pruning.results.variants import AXES, name_image_counts, name_variants

# Each table of a run must have these columns.
COLUMNS = {
    name: [column.name for column in fields(row) if column.name not in NEWER_COLUMNS] for name, row in TABLES.items()
}


def collect(names: Sequence[str], runs_dir: Path, tables_dir: Path, present_only: bool = False) -> None:
    """Write runs.csv, megabatches.csv, epochs.csv and layers.csv.

    Args:
        names: names of the runs, which are their folders below `runs_dir`.
        runs_dir: folder of the study's runs.
        tables_dir: folder for the tables.
        present_only: whether to leave out unfinished runs, for machines that cannot train. A figure of the tables then
            has to check that the tables hold its runs, as all figures of this project do.

    Raises:
        DataError: no run is named; a run is missing or damaged, lacks a number, or was written by another version of
            the code; or two runs on one dataset had different images. Nothing is written.
    """
    if present_only:
        present = [name for name in names if (runs_dir / name / layout.METRICS).exists()]
        # If no run is finished, the first name stays, so that the error names a missing run.
        names = present or names[:1]
    if not names:
        raise DataError("runs_list: the list names no run; at least one is needed")
    settings = {name: read_settings(runs_dir / name) for name in names}
    variants, images = name_variants(settings), name_image_counts(settings)
    metrics = {name: _read_checked(runs_dir / name) for name in names}
    check_same_data({name: settings[name]["dataset"] for name in names}, metrics)
    keys = pd.DataFrame(
        [
            {axis: settings[name][axis] for axis in AXES}
            | {"variant": variants[name], "images": images[name], "run": name}
            for name in names
        ]
    )
    rows = {name: {table: read_rows(runs_dir / name / table) for table in COLUMNS} for name in names}
    for name, tables_of_run in rows.items():
        _add_newer_columns(tables_of_run)
        _add_training_macs(tables_of_run, metrics[name].final.macs_count)
    summaries = [summarize(metrics[name]) | _totals(rows[name][layout.MEGABATCHES]) for name in names]
    tables = {"runs.csv": keys.join(pd.DataFrame(summaries))}
    for table in COLUMNS:
        joined = pd.concat([rows[name][table] for name in names], keys=range(len(names)))
        tables[table] = keys.join(joined.droplevel(1))
    for table, content in tables.items():
        write_text(tables_dir / table, content.to_csv(index=False, lineterminator="\n"))


def names_in(table: Path) -> list[str]:
    """Return the names of the runs in a collected table, in its order.

    Raises:
        DataError: the file is missing or is not a collected table.
    """
    try:
        return list(dict.fromkeys(pd.read_csv(table, usecols=["run"], dtype=str, keep_default_na=False)["run"]))
    except (OSError, ValueError) as error:
        raise DataError(f"{table}: not readable ({error})") from None


def summarize(metrics: MetricsFile) -> dict[str, str | float | None]:
    """Return the columns of runs.csv that come from metrics.json: final numbers, data, sizes, cost and machine."""
    final, cost, hardware = metrics.final, metrics.cost, metrics.hardware
    return {
        "test_acc_pct": final.test_acc_pct,
        "cumulative_error_count": final.cumulative_error_count,
        "cumulative_error_rate": final.cumulative_error_rate,
        "generalization_gap_pct": final.generalization_gap_pct,
        "clean_gap_pct": final.clean_gap_pct,
        "density": final.density,
        "kept_count": final.kept_count,
        "prunable_count": final.prunable_count,
        "samples": final.samples,
        "macs_kept": final.macs_kept,
        "macs_count": final.macs_count,
        "data_sha256": metrics.data_sha256,
        "parameter_count": metrics.parameter_count,
        "precision": metrics.precision,
        "dense_bytes": metrics.size.dense_bytes,
        "sparse_bytes": metrics.size.sparse_bytes,
        "planned_train_samples": cost.planned_samples.train,
        "train_samples_per_s": cost.train_samples_per_s,
        "train_s": cost.train_s,
        "prune_s": cost.prune_s,
        "stream_s": cost.stream_s,
        "wall_time_s": metrics.wall_time_s,
        "peak_memory_mb": hardware.peak_memory_mb,
        "device": hardware.computed_on,
        "commit": metrics.code.commit,
    }


def read_rows(path: Path) -> pd.DataFrame:
    """Read one of the tables of a run.

    Raises:
        DataError: the file is missing or damaged, or lacks a column or a number; the message names the column.
    """
    try:
        rows = pd.read_csv(path)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; {REMEDY}") from None
    except ValueError:  # pandas raises subclasses of ValueError for files that are not tables
        raise DataError(f"{path}: not readable; {REMEDY}") from None
    for column in COLUMNS[path.name]:
        if column not in rows:
            raise DataError(f"{path}: column {column} is missing; {REMEDY}")
        _check_column(path, rows[column])
    if rows.empty:
        raise DataError(f"{path}: no rows; {REMEDY}")
    return rows


def _add_newer_columns(tables: dict[str, pd.DataFrame]) -> None:
    """Give megabatches.csv of a run of earlier code the columns that it lacks, as far as layers.csv tells them."""
    megabatches, layers = tables[layout.MEGABATCHES], tables[layout.LAYERS]
    n_empty = layers["kept"].eq(0).groupby(layers["t"]).sum()
    known = megabatches.get("zero_score_layers", pd.Series(pd.NA, index=megabatches.index))
    megabatches["zero_score_layers"] = known.astype("Int64")
    megabatches["empty_layers"] = megabatches["t"].map(n_empty).fillna(0).astype(int)


def _add_training_macs(tables: dict[str, pd.DataFrame], macs_count: int) -> None:
    """Give megabatches.csv the multiply-accumulates of the training on each megabatch.

    `train_macs` are those of the whole network, which dense hardware computes, and `train_macs_kept` those of the
    weights that are not pruned, which a machine for sparse networks would compute. Scoring and evaluation do not count.

    Args:
        tables: the tables of a run; megabatches.csv changes in place.
        macs_count: multiply-accumulates of the whole network for one image.
    """
    megabatches, layers = tables[layout.MEGABATCHES], tables[layout.LAYERS]
    pruned = layers["macs"] // layers["total"] * (layers["total"] - layers["kept"])
    saved = megabatches["t"].map(pruned.groupby(layers["t"]).sum()).fillna(0).astype(int)
    trained = TRAINING_PASSES * megabatches["samples"].astype(int)
    megabatches["train_macs"], megabatches["train_macs_kept"] = trained * macs_count, trained * (macs_count - saved)


def _totals(megabatches: pd.DataFrame) -> dict[str, int]:
    """Return the columns of runs.csv that come from the table of megabatches: the last or the sum of a column."""
    return {
        "empty_layers": megabatches["empty_layers"].iloc[-1],
        "train_macs": megabatches["train_macs"].sum(),
        "train_macs_kept": megabatches["train_macs_kept"].sum(),
    }


def check_same_data(datasets: Mapping[str, str], metrics: Mapping[str, MetricsFile]) -> None:
    """Check that runs on datasets of the same name had the same images; otherwise a mean over the runs has no meaning.

    Args:
        datasets: name of the dataset by the name of the run.
        metrics: content of metrics.json by the name of the run.

    Raises:
        DataError: two runs had different images.
    """
    first: dict[str, str] = {}
    for name, dataset in datasets.items():
        reference = first.setdefault(dataset, name)
        if metrics[name].data_sha256 != metrics[reference].data_sha256:
            raise DataError(
                f"{dataset}: {reference} and {name} were trained on different images of this name; "
                "give one of the datasets another name"
            )


def _read_checked(folder: Path) -> MetricsFile:
    """Read metrics.json and check the run's other files against their checksums."""
    metrics = read_metrics(folder)
    check_files(folder, metrics.files)
    return metrics


def _check_column(path: Path, column: "pd.Series[Any]") -> None:
    # Most columns pass this quick check. The check below gives the same answer but takes twenty times longer.
    if is_numeric_dtype(column) and np.abs(column.to_numpy()).max(initial=0) < 1e300:
        return
    is_name = column.name == "layer"
    try:
        is_complete = is_name or bool(pd.to_numeric(column, errors="coerce").abs().lt(1e300).all())
    except OverflowError:  # an integer of hundreds of digits
        is_complete = False
    if column.isna().any() or not is_complete:
        kind = "name" if is_name else "number"
        raise DataError(f"{path}: column {column.name} has a value that is not a {kind}; {REMEDY}")
