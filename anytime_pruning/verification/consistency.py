"""Whether the numbers of a stored run agree with each other, whatever its checksums say. Torch-free."""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

from anytime_pruning.foundation import metrics
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.foundation.metrics import MacCount
from anytime_pruning.results import layout
from anytime_pruning.results.records import Records
from anytime_pruning.results.rows import Epoch, LayerRow, MegabatchRow
from anytime_pruning.settings.cost import PlannedCost, plan_cost
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.training.learning_rate import lr_at

# A file of the run and what is wrong in it.
Problem = tuple[str, str]


@dataclass(frozen=True)
class Rows:
    """The three tables of a run, with the types of their columns."""

    megabatches: list[MegabatchRow]
    epochs: list[Epoch]
    layers: list[LayerRow]

    @classmethod
    def read(cls, folder: Path) -> "Rows":
        """Raises:
        DataError: a table is missing, or has other columns or a value of another type.
        """
        kinds = {layout.MEGABATCHES: MegabatchRow, layout.EPOCHS: Epoch, layout.LAYERS: LayerRow}
        return cls(*(_read(folder / name, kind) for name, kind in kinds.items()))


def find_inconsistencies(settings: RunSettings, content: dict[str, Any], rows: Rows) -> Iterator[Problem]:
    """Everything in which metrics.json, the three tables and the settings disagree.

    Args:
        content: of metrics.json.
    """
    if (found := [row.t for row in rows.megabatches]) != list(range(1, settings.n_megabatches + 1)):
        # What follows would say the same of every megabatch.
        yield layout.MEGABATCHES, f"it has megabatches {found}, not 1 to {settings.n_megabatches}"
        return
    yield from _check_facts(settings, content)
    yield from _check_densities(settings, rows)
    for row in rows.megabatches:
        yield from _check_counts(row)
        yield from _check_epochs(row, [epoch for epoch in rows.epochs if epoch.t == row.t], settings)
    if strays := {row.t for row in (*rows.epochs, *rows.layers)} - {row.t for row in rows.megabatches}:
        yield layout.EPOCHS, f"rows of megabatches {sorted(strays)}, which there are not"
    yield from _check_layers(settings, rows)
    yield from _check_finals(settings, content, rows)


def _check_facts(settings: RunSettings, content: dict[str, Any]) -> Iterator[Problem]:
    """What the settings say of the data and the precision is what was computed on and in."""
    if content.get("precision") not in ("float32", "bfloat16"):
        yield layout.METRICS, f"precision is {content.get('precision')}, which is none of float32 and bfloat16"
    said = {"data_sha256": getattr(settings.dataset, "content_sha256", None), "precision": settings.precision}
    for name, value in said.items():
        if value not in (None, "auto") and content.get(name) != value:
            yield layout.METRICS, f"{name} is {content.get(name)}, but the settings make it {value}"


def _check_densities(settings: RunSettings, rows: Rows) -> Iterator[Problem]:
    """As asked by the schedule, as measured, and never rising."""
    for row, density in zip(rows.megabatches, settings.densities()):
        yield from _differ(f"density_asked at t={row.t}", row.density_asked, density)
        yield from _differ(f"density_measured at t={row.t}", row.density_measured, row.kept_count / row.prunable_count)
        released = settings.protocol == "released"
        asked = settings.densities()[-1] if released and settings.scope == "local" and density < 1 else density
        at_most = round(asked * row.prunable_count)
        # The released arithmetic keeps fewer than it asks for, and so may a mask to begin with.
        at_least = 0 if released or settings.initial_mask else at_most - _uncounted(settings, row)
        if not at_least <= row.kept_count <= at_most:
            yield layout.MEGABATCHES, f"kept_count at t={row.t} is {row.kept_count}, which is not the density asked for"
    for before, row in pairwise(rows.megabatches):
        yield from _differ(f"test_count at t={row.t}", row.test_count, before.test_count)
        yield from _differ(f"prunable_count at t={row.t}", row.prunable_count, before.prunable_count)
        if settings.schedule.prunes and row.kept_count > before.kept_count + _uncounted(settings, before):
            yield layout.MEGABATCHES, f"kept_count rises at t={row.t} from {before.kept_count} to {row.kept_count}"


def _uncounted(settings: RunSettings, row: MegabatchRow) -> int:
    """How many weights that masks keep may be missing from the counts, which are of those that are not zero.

    Weights to begin with may hold any number of zeros.
    """
    return row.prunable_count if settings.initial_weights else metrics.chance_zeros(row.prunable_count)


def _check_counts(row: MegabatchRow) -> Iterator[Problem]:
    """Accuracies are those of whole images, and gaps are differences of accuracies."""
    yield from _differ(
        f"test_acc_pct at t={row.t}",
        row.test_acc_pct,
        metrics.accuracy_pct(row.test_count - row.error_count, row.test_count),
    )
    shares = {
        "train_acc_pct": row.train_count,
        "train_acc_running_pct": row.train_count,
        "valid_acc_pct": row.valid_count,
        "valid_acc_augmented_pct": row.valid_count,
    }
    for name, count in shares.items():
        yield from _check_share(f"{name} at t={row.t}", getattr(row, name), count)
    gap = metrics.generalization_gap_pct(row.train_acc_running_pct, row.valid_acc_augmented_pct)
    yield from _differ(f"generalization_gap_pct at t={row.t}", row.generalization_gap_pct, gap)
    clean = metrics.generalization_gap_pct(row.train_acc_pct, row.valid_acc_pct)
    yield from _differ(f"clean_gap_pct at t={row.t}", row.clean_gap_pct, clean)


def _check_share(what: str, found: float, count: int, file: str = layout.MEGABATCHES) -> Iterator[Problem]:
    """A percentage is that of a whole number of so many images."""
    yield from _differ(what, found, metrics.accuracy_pct(round(found * count / 100), count), file)


def _check_epochs(row: MegabatchRow, epochs: list[Epoch], settings: RunSettings) -> Iterator[Problem]:
    """As many as were asked for, each of all samples; the best is the first of the best; the last is in the row."""
    if [epoch.epoch for epoch in epochs] != list(range(1, settings.epochs + 1)):
        yield layout.EPOCHS, f"{len(epochs)} epochs at t={row.t}, not 1 to {settings.epochs}"
        return
    best = max(epochs, key=lambda epoch: (epoch.valid_acc_pct, -epoch.epoch))
    yield from _differ(f"best_epoch at t={row.t}", row.best_epoch, best.epoch)
    last = epochs[-1]
    yield from _differ(f"train_acc_running_pct at t={row.t}", row.train_acc_running_pct, last.train_acc_running_pct)
    # The released protocol selects on augmented images.
    selected = row.valid_acc_augmented_pct if settings.protocol == "released" else row.valid_acc_pct
    yield from _differ(f"validation accuracy at t={row.t}", selected, last.valid_acc_pct)
    for epoch in epochs:
        where = f"at t={row.t}, epoch {epoch.epoch}"
        yield from _differ(f"samples {where}", epoch.samples, row.train_count, layout.EPOCHS)
        yield from _differ(f"lr {where}", epoch.lr, lr_at(epoch.epoch, settings), layout.EPOCHS)
        yield from _check_share(
            f"train_acc_running_pct {where}", epoch.train_acc_running_pct, row.train_count, layout.EPOCHS
        )
        yield from _check_share(f"valid_acc_pct {where}", epoch.valid_acc_pct, row.valid_count, layout.EPOCHS)
    yield from _differ(f"samples at t={row.t}", row.samples, sum(epoch.samples for epoch in epochs))


def _check_layers(settings: RunSettings, rows: Rows) -> Iterator[Problem]:
    """The counts of the layers sum to those of the network; the layers stay the same, and none grows."""
    layers = [[layer for layer in rows.layers if layer.t == row.t] for row in rows.megabatches]
    first = [(layer.layer, layer.total, layer.macs) for layer in layers[0]]
    for row, now in zip(rows.megabatches, layers):
        for column, mine in (("kept", "kept_count"), ("total", "prunable_count")):
            total = sum(getattr(layer, column) for layer in now)
            yield from _differ(f"the sum of {column} at t={row.t}", total, getattr(row, mine), layout.LAYERS)
        if [(layer.layer, layer.total, layer.macs) for layer in now] != first:
            yield layout.LAYERS, f"layer, total or macs at t={row.t} are not those at t=1"
        for layer in now:
            if layer.total < 1 or layer.macs % layer.total:
                yield layout.LAYERS, f"macs of {layer.layer} at t={row.t} is {layer.macs}, no multiple of {layer.total}"
    for row, (before, now) in zip(rows.megabatches, pairwise(layers)) if settings.schedule.prunes else ():
        for earlier, layer in zip(before, now):
            if layer.kept > earlier.kept + _uncounted(settings, row):
                yield layout.LAYERS, f"kept of {layer.layer} rises at t={layer.t} from {earlier.kept} to {layer.kept}"


def _check_finals(settings: RunSettings, content: dict[str, Any], rows: Rows) -> Iterator[Problem]:
    """metrics.json says what the rows come to: computed again by what computed it."""
    last = [layer for layer in rows.layers if layer.t == rows.megabatches[-1].t]
    try:
        positions = {layer.layer: layer.macs // layer.total for layer in last}
        convolutions = sum(layer.macs for layer in last)
        macs = MacCount(positions, content["final"]["macs_count"] - convolutions)
        planned = PlannedCost(**content["cost"]["planned_samples"])
        records = Records(planned, macs, rows.megabatches, rows.epochs, rows.layers)
        for part, expected in (("final", records.final_numbers()), ("cost", records.cost())):
            for name in expected | content[part]:
                found = content[part].get(name)
                yield from _differ(f"{part}.{name}", found, expected.get(name), layout.METRICS)
        # What is scored on is not in the rows: it is planned again where the data is.
        parts = [(row.train_count, row.valid_count, 0) for row in rows.megabatches]
        expected = plan_cost(settings.epochs, settings.densities(), parts, rows.megabatches[0].test_count)
        for name in ("train", "evaluate"):
            found = getattr(planned, name)
            yield from _differ(f"cost.planned_samples.{name}", found, getattr(expected, name), layout.METRICS)
    except (LookupError, TypeError, AttributeError, ZeroDivisionError) as error:
        yield layout.METRICS, f"final or cost is not as this code writes it ({error!r})"


def _differ(what: str, found: Any, expected: Any, file: str = layout.MEGABATCHES) -> Iterator[Problem]:
    if found != expected:
        yield file, f"{what} is {found}, but the other numbers make it {expected}"


def _read(path: Path, kind: type) -> list[Any]:
    columns = {column.name: column.type for column in fields(kind)}
    try:
        with open(path, newline="") as file:
            table = csv.DictReader(file)
            if table.fieldnames != list(columns):
                raise DataError(f"{path}: other columns than {', '.join(columns)}")
            rows = [kind(**{name: columns[name](text) for name, text in row.items()}) for row in table]
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        raise DataError(f"{path}: not readable ({error})") from None
    for row in rows:
        for name, of in columns.items():
            if of is float and not math.isfinite(getattr(row, name)):
                raise DataError(f"{path}: column {name} has a value that is no number")
    return rows
