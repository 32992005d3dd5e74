"""Write a finished run to disk, with metrics.json last and no file half-written, and read stored runs."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

import yaml

from anytime_pruning import RESULTS_VERSION
from anytime_pruning.foundation.errors import DataError, SettingError, show
from anytime_pruning.foundation.files import csv_text, file_sha256, write_atomically, write_text
from anytime_pruning.foundation.safe_text import parse_yaml
from anytime_pruning.results import layout
from anytime_pruning.results.line_ends import check_line_ends
from anytime_pruning.results.metrics_file import REMEDY, SCHEMA_VERSION, MetricsFile, parse_metrics
from anytime_pruning.results.records import Records
from anytime_pruning.results.rows import EpochRow, LayerRow, MegabatchRow
from anytime_pruning.results.variants import AXES, plain_settings
from anytime_pruning.settings.run import RunSettings


def write_run(
    out_dir: Path,
    settings: RunSettings,
    records: Records,
    facts: Mapping[str, Any],
    write_weights: Callable[[Path], None],
    weights_path: Path,
) -> MetricsFile:
    """Write all files of a finished run; metrics.json with the checksums of all files comes last.

    Args:
        out_dir: folder of the run.
        settings: settings of the run.
        records: rows of the run.
        facts: the fields of `MetricsFile` from `precision` to `wall_time_s`.
        write_weights: a function that takes a path and writes the weights there.
        weights_path: path of the weights.

    Returns:
        The content of metrics.json.
    """
    write_atomically(weights_path, write_weights)
    write_text(out_dir / layout.CONFIG, yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False))
    tables: dict[str, Sequence[MegabatchRow | EpochRow | LayerRow]] = {
        layout.MEGABATCHES: records.megabatches,
        layout.EPOCHS: records.epochs,
        layout.LAYERS: records.layers,
    }
    for name, rows in tables.items():
        write_text(out_dir / name, csv_text([column.name for column in fields(rows[0])], map(astuple, rows)))
    checksums = {name: file_sha256(out_dir / name) for name in layout.TEXTS}
    metrics = MetricsFile(
        schema_version=SCHEMA_VERSION,
        results_version=RESULTS_VERSION,
        digest=settings.digest(),
        seed=settings.seed,
        final=records.final_numbers(),
        cost=records.cost(),
        **facts,
        files=checksums | {layout.WEIGHTS: file_sha256(weights_path)},
    )
    content = seal(metrics.content())
    write_text(out_dir / layout.METRICS, render(content))
    return metrics.model_copy(update={"sha256": content["sha256"]})


def seal(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return JSON content with its own checksum, `sha256`, as the last key."""
    unsealed = {key: value for key, value in content.items() if key != "sha256"}
    return unsealed | {"sha256": hashlib.sha256(render(unsealed).encode()).hexdigest()}


def render(content: Mapping[str, Any]) -> str:
    """Return the text of JSON content, which is always the same, so that any changed character of a file is noticed."""
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def check_files(folder: Path, checksums: Mapping[str, str], names: Iterable[str] = layout.TEXTS) -> None:
    """Check that files of a run are unchanged since its metrics.json was written.

    Args:
        folder: folder of the files.
        checksums: SHA-256 by file name, which is the field `files` of metrics.json.
        names: names of the files to check.

    Raises:
        LineEndsError: nothing but the line ends of a file is changed.
        DataError: a file is missing or has another checksum.
    """
    for name in names:
        try:
            _check_file(folder / name, checksums.get(name))
        except OSError as error:
            raise DataError(f"{folder / name}: {error.strerror}; {REMEDY}") from None


def _check_file(path: Path, expected: str | None) -> None:
    if (found := file_sha256(path)) != expected:
        check_line_ends(path, lambda content: hashlib.sha256(content).hexdigest() == expected)
        raise DataError(f"{path}: damaged or changed (sha256 {found}, expected {expected}); {REMEDY}")


def read_metrics(folder: Path) -> MetricsFile:
    """Read metrics.json of a run and check that the file is unchanged since it was written.

    Raises:
        LineEndsError: nothing but the line ends of the file is changed.
        DataError: the file is missing or damaged, has another schema version, or lacks a value.
    """
    path = folder / layout.METRICS
    try:
        # The file is read as bytes, because reading it as text would hide a changed line break.
        text = path.read_bytes().decode()
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError("not an object")
        version = content.get("schema_version")
        # The schema version itself may be damaged, so the checksum of a file that has one is checked first.
        is_sealed = version == SCHEMA_VERSION or "sha256" in content
        if is_sealed and text != (written := render(seal(content))):
            check_line_ends(path, lambda content: content == written.encode())
            raise DataError(f"{path}: damaged or changed (it does not match its own sha256); {REMEDY}")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; this run has to be trained first") from None
    except (ValueError, RecursionError):
        raise DataError(f"{path}: not readable; {REMEDY}") from None
    if version != SCHEMA_VERSION:
        raise DataError(
            f"{path}: schema_version is {show(version)}, expected {SCHEMA_VERSION}: another version of this package "
            "wrote the file, and reads it; or train the run again in another folder"
        )
    return parse_metrics(path, text)


def read_settings(folder: Path) -> dict[str, Any]:
    """Read the settings of a run, with the dataset's name in place of its settings.

    Raises:
        DataError: config.yaml is missing, or does not hold the settings of a run.
    """

    def with_axes(config: Any) -> dict[str, Any]:
        settings = plain_settings(config)
        return settings | {axis: settings[axis] for axis in AXES}

    return _read_config(folder, with_axes)


def read_own_code(folder: Path) -> dict[str, str]:
    """Read the digests of the code of a run's own parts by kind and name; a run without any has none.

    Raises:
        DataError: config.yaml is missing, or does not hold the settings of a run.
    """
    return _read_config(folder, lambda config: dict(config.get("own_code", {})))


def _read_config(folder: Path, take: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """Return what a function takes from the content of config.yaml."""
    path = folder / layout.CONFIG
    try:
        return take(parse_yaml(str(path), path.read_bytes()))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; this run has to be trained first") from None
    except (SettingError, AttributeError, KeyError, TypeError, ValueError):
        raise DataError(f"{path}: not readable; {REMEDY}") from None


def stored_run(out_dir: Path, settings: RunSettings) -> MetricsFile | None:
    """Read metrics.json of a finished run, without checking the other files of the run.

    Returns:
        The content, or None if the run is not finished.

    Raises:
        SettingError: the folder holds a run with other settings, which must not be overwritten.
        DataError: metrics.json is damaged or has another schema version.
    """
    if not (out_dir / layout.METRICS).exists():
        return None
    metrics = read_metrics(out_dir)
    if metrics.digest != settings.digest():
        raise SettingError(
            f"out_dir: {out_dir} is not allowed: it holds a run with digest {metrics.digest}, and these settings have "
            f"{settings.digest()}; name another folder"
        )
    return metrics
