"""Check whether the numbers of a stored run agree with each other, even if all checksums are correct."""

from collections.abc import Iterator

from pydantic import ValidationError

from anytime_pruning.foundation import metrics
from anytime_pruning.foundation.metrics import MacCount
from anytime_pruning.pruning.protocols import make_protocol
from anytime_pruning.results import layout
from anytime_pruning.results.metrics_file import MetricsFile
from anytime_pruning.results.records import Records
from anytime_pruning.results.rows import EpochRow, MegabatchRow
from anytime_pruning.runs.rates import learning_rate
from anytime_pruning.settings.cost import PlannedCost, plan_cost
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.training.learning_rate import LearningRate
from anytime_pruning.verification.comparison import BY_SETTINGS, check_equal, check_percentage, check_time
from anytime_pruning.verification.densities import check_densities, check_layers
from anytime_pruning.verification.findings import Finding, problem
from anytime_pruning.verification.stored_run import Rows

# The measured numbers of the cost, and the unit of the last digit of each.
TIMES = {"stream_s": 1e-3, "prune_s": 1e-3, "train_s": 1e-3, "train_samples_per_s": 0.1}


def find_inconsistencies(settings: RunSettings, stored: MetricsFile, rows: Rows) -> Iterator[Finding]:
    """Find everything in which metrics.json, the three tables and the settings disagree.

    Args:
        settings: settings of the run.
        stored: content of metrics.json.
        rows: tables of the run.

    Yields:
        Problems, each with the name of the file that has the problem.
    """
    if (found := [row.t for row in rows.megabatches]) != list(range(1, settings.n_megabatches + 1)):
        # The checks below stop here, because they would repeat this problem for every megabatch.
        yield problem(f"it has megabatches {found}, not 1 to {settings.n_megabatches}", layout.MEGABATCHES)
        return
    empty = list(_find_empty(rows))
    yield from empty
    if empty:
        # The checks below divide by these counts.
        return
    yield from _check_facts(settings, stored)
    yield from check_densities(settings, rows, stored.zeros_at_start)
    for row in rows.megabatches:
        yield from _check_accuracies(row)
        yield from _check_epochs(row, rows.epochs_at(row.t), settings)
    if strays := ({epoch.t for epoch in rows.epochs} | {layer.t for layer in rows.layers}) - set(found):
        yield problem(f"rows of megabatches {sorted(strays)}, which do not exist", layout.EPOCHS)
    yield from check_layers(settings, rows, stored.zeros_at_start)
    yield from _check_totals(settings, stored, rows)


def _find_empty(rows: Rows) -> Iterator[Finding]:
    """Find counts that should be positive and are not."""
    for row in rows.megabatches:
        for name in ("prunable_count", "train_count", "valid_count", "test_count"):
            if getattr(row, name) < 1:
                yield problem(
                    f"{name} at t={row.t} is {getattr(row, name)}, but at least 1 is needed", layout.MEGABATCHES
                )
    for layer in rows.layers:
        if layer.total < 1:
            yield problem(
                f"total of {layer.layer} at t={layer.t} is {layer.total}, but at least 1 is needed", layout.LAYERS
            )


def _check_facts(settings: RunSettings, stored: MetricsFile) -> Iterator[Finding]:
    """Check that the images and the precision are those of the settings, if the settings name them."""
    asked = {"data_sha256": getattr(settings.dataset, "content_sha256", None), "precision": settings.precision}
    found = {"data_sha256": stored.data_sha256, "precision": stored.precision}
    for name, value in asked.items():
        if value not in (None, "auto"):
            yield from check_equal(name, found[name], value, layout.METRICS, BY_SETTINGS)


def _check_accuracies(row: MegabatchRow) -> Iterator[Finding]:
    """Check that accuracies correspond to whole images, and that gaps are differences of accuracies."""
    tested = metrics.accuracy_pct(row.test_count - row.error_count, row.test_count)
    yield from check_equal(f"test_acc_pct at t={row.t}", row.test_acc_pct, tested)
    train = {"train_acc_pct": row.train_acc_pct, "train_acc_running_pct": row.train_acc_running_pct}
    valid = {"valid_acc_pct": row.valid_acc_pct, "valid_acc_augmented_pct": row.valid_acc_augmented_pct}
    for accuracies, total in ((train, row.train_count), (valid, row.valid_count)):
        for name, found in accuracies.items():
            yield from check_percentage(f"{name} at t={row.t}", found, total)
    gap = metrics.generalization_gap_pct(row.train_acc_running_pct, row.valid_acc_augmented_pct)
    yield from check_equal(f"generalization_gap_pct at t={row.t}", row.generalization_gap_pct, gap)
    clean = metrics.generalization_gap_pct(row.train_acc_pct, row.valid_acc_pct)
    yield from check_equal(f"clean_gap_pct at t={row.t}", row.clean_gap_pct, clean)


def _check_epochs(row: MegabatchRow, epochs: list[EpochRow], settings: RunSettings) -> Iterator[Finding]:
    """Check the number of epochs, the choice of the best epoch, and the numbers that the megabatch's row repeats."""
    n_epochs = settings.epochs_at()[row.t - 1]
    if [epoch.epoch for epoch in epochs] != list(range(1, n_epochs + 1)):
        yield problem(f"{len(epochs)} epochs at t={row.t}, not 1 to {n_epochs}", layout.EPOCHS)
        return
    if not epochs:
        yield from check_equal(f"best_epoch at t={row.t}", row.best_epoch, 0)
        yield from check_equal(f"train_acc_running_pct at t={row.t}", row.train_acc_running_pct, row.train_acc_pct)
        yield from check_equal(f"samples at t={row.t}", row.samples, 0)
        return
    rules = make_protocol(settings.protocol).training
    best_acc_pct = max(epoch.valid_acc_pct for epoch in epochs)
    best = [epoch.epoch for epoch in epochs if epoch.valid_acc_pct == best_acc_pct]
    # Rounding decides between equally good epochs if the protocol averages batches; otherwise the first one is best.
    if not (rules.averages_batches and row.best_epoch in best):
        yield from check_equal(f"best_epoch at t={row.t}", row.best_epoch, best[0])
    last = epochs[-1]
    running = last.train_acc_running_pct
    yield from check_equal(f"train_acc_running_pct at t={row.t}", row.train_acc_running_pct, running)
    selecting = row.valid_acc_augmented_pct if rules.selects_on_augmented else row.valid_acc_pct
    yield from check_equal(f"validation accuracy at t={row.t}", selecting, last.valid_acc_pct)
    rate = learning_rate(settings).at_megabatch(row.t)
    for epoch in epochs:
        yield from _check_epoch(epoch, row, rate)
    yield from check_equal(f"samples at t={row.t}", row.samples, sum(epoch.samples for epoch in epochs))


def _check_epoch(epoch: EpochRow, row: MegabatchRow, rate: LearningRate) -> Iterator[Finding]:
    where, file = f"at t={row.t}, epoch {epoch.epoch}", layout.EPOCHS
    yield from check_equal(f"samples {where}", epoch.samples, row.train_count, file)
    yield from check_equal(f"lr {where}", epoch.lr, rate.of_epoch(epoch.epoch), file)
    running = epoch.train_acc_running_pct
    yield from check_percentage(f"train_acc_running_pct {where}", running, row.train_count, file)
    yield from check_percentage(f"valid_acc_pct {where}", epoch.valid_acc_pct, row.valid_count, file)


def _check_totals(settings: RunSettings, stored: MetricsFile, rows: Rows) -> Iterator[Finding]:
    """Check the final numbers and the cost in metrics.json by computing both again from the rows."""
    last = rows.layers_at(rows.megabatches[-1].t)
    positions = {layer.layer: layer.macs // layer.total for layer in last}
    fixed = stored.final.macs_count - sum(layer.macs for layer in last)
    planned = stored.cost.planned_samples
    records = Records(
        PlannedCost(planned.train, planned.score, planned.evaluate),
        MacCount(positions, fixed),
        rows.megabatches,
        rows.epochs,
        rows.layers,
    )
    try:
        final, cost = records.final_numbers(), records.cost()
    except ValidationError as error:
        place = error.errors()[0]["loc"][0]
        yield problem(f"no possible value of {place} follows from the tables", layout.METRICS)
        return
    for part, found, expected in (
        ("final", stored.final.model_dump(), final.model_dump()),
        ("cost", stored.cost.model_dump(exclude=set(TIMES)), cost.model_dump(exclude=set(TIMES))),
    ):
        for name in expected | found:
            yield from check_equal(f"{part}.{name}", found.get(name), expected.get(name), layout.METRICS)
    for name, digit in TIMES.items():
        yield from check_time(f"cost.{name}", getattr(stored.cost, name), getattr(cost, name), digit)
    # The rows do not contain the samples to score on. `reevaluation` plans these samples again if the images exist.
    parts = [(row.train_count, row.valid_count, 0) for row in rows.megabatches]
    again = plan_cost(settings, parts, rows.megabatches[0].test_count)
    yield from check_equal("cost.planned_samples.train", planned.train, again.train, layout.METRICS)
    yield from check_equal("cost.planned_samples.evaluate", planned.evaluate, again.evaluate, layout.METRICS)
