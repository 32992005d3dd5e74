"""Read the settings, metrics.json and typed tables of a finished run, so that the run can be checked."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, get_type_hints

from anytime_pruning.foundation.errors import DataError
from anytime_pruning.results import layout
from anytime_pruning.results.metrics_file import MetricsFile
from anytime_pruning.results.rows import NEWER_COLUMNS, EpochRow, LayerRow, MegabatchRow
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.verification.findings import Finding

# This limit excludes values that are not finite, and integers that are too large for arithmetic with floats.
LIMIT = 1e300
Row = TypeVar("Row", MegabatchRow, EpochRow, LayerRow)


@dataclass(frozen=True)
class Rows:
    """Holds the three tables of a run."""

    megabatches: list[MegabatchRow]
    epochs: list[EpochRow]
    layers: list[LayerRow]

    @classmethod
    def read(cls, folder: Path) -> "Rows":
        """Read the three tables in a run's folder.

        Raises:
            DataError: a table is missing or empty, or has other columns or a value of another type.
        """
        return cls(
            _read(folder / layout.MEGABATCHES, MegabatchRow),
            _read(folder / layout.EPOCHS, EpochRow),
            _read(folder / layout.LAYERS, LayerRow),
        )

    def epochs_at(self, t: int) -> list[EpochRow]:
        """Return the rows of the epochs on megabatch t."""
        return [epoch for epoch in self.epochs if epoch.t == t]

    def layers_at(self, t: int) -> list[LayerRow]:
        """Return the rows of the layers after megabatch t."""
        return [layer for layer in self.layers if layer.t == t]


@dataclass(frozen=True)
class StoredRun:
    """Holds the stored content of a finished run.

    Attributes:
        folder: folder of the run.
        settings: content of config.yaml.
        metrics: content of metrics.json.
        rows: content of the three tables.
        weights: path of the weights, or None if the weights are not stored.
    """

    folder: Path
    settings: RunSettings
    metrics: MetricsFile
    rows: Rows
    weights: Path | None

    def locate(self, finding: Finding) -> Finding:
        """Return the finding with the path of the run's file before the text of a problem."""
        if finding.file is None:
            return finding
        if finding.file == layout.WEIGHTS and self.weights:
            return finding.at(self.weights)
        return finding.at(self.folder / finding.file)


def _read(path: Path, kind: type[Row]) -> list[Row]:
    # A column that may be missing has the type int or None.
    columns: dict[str, type] = {
        name: int if hint == int | None else hint for name, hint in get_type_hints(kind).items()
    }
    older = [name for name in columns if name not in NEWER_COLUMNS]
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file)
            if table.fieldnames not in (list(columns), older):
                raise DataError(f"{path}: other columns than {', '.join(columns)}")
            rows = [kind(**{name: columns[name](text) for name, text in row.items()}) for row in table]
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        raise DataError(f"{path}: not readable ({error})") from None
    if not rows:
        raise DataError(f"{path}: no rows")
    numbers = [name for name, of in columns.items() if of is not str]
    for row in rows:
        for name in numbers:
            if (value := getattr(row, name)) is not None and not abs(value) < LIMIT:
                raise DataError(f"{path}: column {name} has a value that is not a number")
    return rows
