"""A run on disk: each file written whole or not at all, metrics.json last; and what a finished run says. Torch-free."""

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import yaml

from anytime_pruning import RESULTS_VERSION, layout
from anytime_pruning.config import RunSettings
from anytime_pruning.errors import DataError, SettingError, show
from anytime_pruning.records import Records

SCHEMA_VERSION = 4
TABLES = (layout.MEGABATCHES, layout.EPOCHS, layout.LAYERS)
REMEDY = "remove the run's folder to train it again"


def write_run(
    out_dir: Path,
    settings: RunSettings,
    records: Records,
    provenance: dict[str, Any],
    write_weights: Callable[[Path], None],
    weights_path: Path,
) -> dict[str, Any]:
    """Write everything of a finished run, each file whole or not at all, `metrics.json` last, with all checksums.

    Args:
        provenance: what metrics.json says beside the numbers.
        write_weights: writes the weights to the path it is given.
    Returns:
        The content of metrics.json.
    """
    settings_yaml = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False)
    content = {
        "schema_version": SCHEMA_VERSION,
        "results_version": RESULTS_VERSION,
        "digest": settings.digest(),
        "seed": settings.seed,
        "final": records.final_numbers(),
        "cost": records.cost(),
        **provenance,
    }
    write_atomically(weights_path, write_weights)
    write_text(out_dir / layout.CONFIG, settings_yaml)
    for name, rows in zip(TABLES, (records.megabatches, records.epochs, records.layers)):
        write_text(out_dir / name, _to_csv(rows))
    content["files"] = {name: file_sha256(out_dir / name) for name in (layout.CONFIG, *TABLES)}
    content["files"][layout.WEIGHTS] = file_sha256(weights_path)
    content = seal(content)
    write_text(out_dir / layout.METRICS, render(content))
    return content


def seal(content: dict[str, Any]) -> dict[str, Any]:
    """The content of metrics.json with its own checksum at its end."""
    content = {key: value for key, value in content.items() if key != "sha256"}
    return content | {"sha256": hashlib.sha256(render(content).encode()).hexdigest()}


def render(content: dict[str, Any]) -> str:
    """metrics.json as text: for one content there is one, so that every changed character shows."""
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_files(folder: Path, content: dict[str, Any], names: Sequence[str] = (layout.CONFIG, *TABLES)) -> None:
    """Files of a run are those that were written with its metrics.json.

    Raises:
        DataError: one is missing or another.
    """
    checksums = content.get("files")
    for name in names:
        path, expected = folder / name, checksums.get(name) if isinstance(checksums, dict) else None
        try:
            found = file_sha256(path)
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}; {REMEDY}") from None
        if found != expected:
            raise DataError(f"{path}: damaged or changed (sha256 {found}, expected {expected}); {REMEDY}")


def read_metrics(folder: Path) -> dict[str, Any]:
    """metrics.json of a run, which must be as it was written.

    Raises:
        DataError: it is missing or damaged, or of a schema that this code does not read.
    """
    path = folder / layout.METRICS
    try:
        # Bytes: reading text would take other line breaks for those that were written.
        text = path.read_bytes().decode()
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError("not an object")
        version = content.get("schema_version")
        # That a file seems to be of another schema may be the damage: one that has a checksum must match it first.
        is_sealed = version == SCHEMA_VERSION or "sha256" in content
        if is_sealed and text != render(seal(content)):
            raise DataError(f"{path}: damaged or changed (it does not match its own sha256); {REMEDY}")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; this run has to be trained first") from None
    except (ValueError, RecursionError):
        raise DataError(f"{path}: not readable; {REMEDY}") from None
    if version != SCHEMA_VERSION:
        raise DataError(f"{path}: schema_version is {show(version)}, expected {SCHEMA_VERSION}; {REMEDY}")
    return content


def stored_run(out_dir: Path, settings: RunSettings) -> dict[str, Any] | None:
    """metrics.json of a run that is done, or None; existence is validity, so its content is not looked into further.

    Raises:
        SettingError: the folder holds a run of other settings, which must not be overwritten.
        DataError: its metrics.json is damaged or of another schema.
    """
    if not (out_dir / layout.METRICS).exists():
        return None
    content = read_metrics(out_dir)
    if content.get("digest") != settings.digest():
        raise SettingError(
            f"out_dir: {out_dir} is not allowed: it holds a run with digest {content.get('digest')}, and these "
            f"settings have {settings.digest()}; name another folder or remove it"
        )
    return content


def write_text(path: Path, text: str) -> None:
    """Write a text file so that it is there whole or not at all."""
    write_atomically(path, lambda partial: partial.write_text(text))


def write_if_different(path: Path, text: str) -> None:
    """Write a text file unless it holds just that already, so that its time tells when its content changed."""
    if not path.exists() or path.read_text() != text:
        write_text(path, text)


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a file beside the path, then move it there; nothing is left behind if it fails.

    On the disk before it has its name, so that a machine that loses power leaves no empty file of that name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        write(partial)
        _flush(partial)
        os.replace(partial, path)
        _flush(path.parent)
    except OSError as error:
        # Which file it was the system says when one is opened, but not when a full disk stops what is written to it.
        error.filename = str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)


def remove_partial(folder: Path, name: str = "*") -> None:
    """Remove what processes that were killed while they wrote a file left in a folder; nobody may be writing there."""
    for path in folder.glob(f".{name}.partial-*"):
        path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Have a file, or the names in a folder, written to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _to_csv(rows: Sequence[Any]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [column.name for column in fields(rows[0])], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()
