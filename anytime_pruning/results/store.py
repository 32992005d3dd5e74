"""A run on disk: each file written whole or not at all, metrics.json last; and what a finished run says. Torch-free."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import yaml

from anytime_pruning import RESULTS_VERSION
from anytime_pruning.foundation.errors import DataError, SettingError, show
from anytime_pruning.foundation.files import file_sha256, write_atomically, write_text
from anytime_pruning.results import layout
from anytime_pruning.results.records import Records
from anytime_pruning.settings.run import RunSettings

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


def _to_csv(rows: Sequence[Any]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [column.name for column in fields(rows[0])], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()
