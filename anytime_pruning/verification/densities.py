"""Check that the densities and layers of a stored run follow from its settings."""

from collections.abc import Iterator
from itertools import pairwise

from anytime_pruning.foundation import metrics
from anytime_pruning.results import layout
from anytime_pruning.results.rows import MegabatchRow
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.verification.comparison import check_equal
from anytime_pruning.verification.findings import Finding, problem
from anytime_pruning.verification.stored_run import Rows


def check_densities(settings: RunSettings, rows: Rows, zeros_at_start: int | None) -> Iterator[Finding]:
    """Check that every density follows the schedule, agrees with the counts, and never rises.

    Args:
        settings: settings of the run.
        rows: tables of the run, with all megabatches.
        zeros_at_start: number of prunable weights that were zero at the start; None for runs of earlier code.

    Yields:
        Problems of megabatches.csv.
    """
    for row, density in zip(rows.megabatches, settings.densities()):
        yield from check_equal(f"density_asked at t={row.t}", row.density_asked, density)
        measured = row.kept_count / row.prunable_count
        yield from check_equal(f"density_measured at t={row.t}", row.density_measured, measured)
        layer_sizes = [layer.total for layer in rows.layers_at(row.t)]
        fewest, most = _expected_kept(settings, row, layer_sizes, zeros_at_start)
        if not fewest <= row.kept_count <= most:
            yield problem(
                f"kept_count at t={row.t} is {row.kept_count}, which is not the density asked for", layout.MEGABATCHES
            )
    for before, row in pairwise(rows.megabatches):
        yield from check_equal(f"test_count at t={row.t}", row.test_count, before.test_count)
        yield from check_equal(f"prunable_count at t={row.t}", row.prunable_count, before.prunable_count)
        if settings.schedule.prunes and row.kept_count > before.kept_count + _uncounted(
            settings, before, zeros_at_start
        ):
            yield problem(
                f"kept_count rises at t={row.t} from {before.kept_count} to {row.kept_count}", layout.MEGABATCHES
            )


def check_layers(settings: RunSettings, rows: Rows, zeros_at_start: int | None) -> Iterator[Finding]:
    """Check that the layers add up to the network, stay the same at every megabatch, and never grow.

    Args:
        settings: settings of the run.
        rows: tables of the run, with all megabatches.
        zeros_at_start: number of prunable weights that were zero at the start; None for runs of earlier code.

    Yields:
        Problems of layers.csv.
    """
    layers = [rows.layers_at(row.t) for row in rows.megabatches]
    first = [(layer.layer, layer.total, layer.macs) for layer in layers[0]]
    for row, now in zip(rows.megabatches, layers):
        if row.empty_layers is not None:
            n_empty = sum(layer.kept == 0 for layer in now)
            yield from check_equal(f"empty_layers at t={row.t}", row.empty_layers, n_empty)
        sums = {"kept": (sum(layer.kept for layer in now), row.kept_count)}
        sums["total"] = (sum(layer.total for layer in now), row.prunable_count)
        for column, (found, expected) in sums.items():
            yield from check_equal(f"the sum of {column} at t={row.t}", found, expected, layout.LAYERS)
        if [(layer.layer, layer.total, layer.macs) for layer in now] != first:
            yield problem(f"layer, total or macs at t={row.t} are not those at t=1", layout.LAYERS)
        for layer in now:
            if layer.macs % layer.total:
                found_macs = f"macs of {layer.layer} at t={row.t} is {layer.macs}"
                yield problem(f"{found_macs}, no multiple of {layer.total}", layout.LAYERS)
    if settings.schedule.prunes:
        yield from _check_no_layer_grows(settings, rows, zeros_at_start)


def _check_no_layer_grows(settings: RunSettings, rows: Rows, zeros_at_start: int | None) -> Iterator[Finding]:
    for before, row in pairwise(rows.megabatches):
        for earlier, later in zip(rows.layers_at(before.t), rows.layers_at(row.t)):
            if later.kept > earlier.kept + _uncounted(settings, before, zeros_at_start):
                growth = f"from {earlier.kept} to {later.kept}"
                yield problem(f"kept of {later.layer} rises at t={later.t} {growth}", layout.LAYERS)


def _expected_kept(
    settings: RunSettings, row: MegabatchRow, layer_sizes: list[int], zeros_at_start: int | None
) -> tuple[int, int]:
    """Return the fewest and the most weights that may be counted at a megabatch."""
    # The tables do not tell the sizes of filters, which are at most those of layers.
    fewest, most = settings.expected_kept(row.t, layer_sizes, filter_sizes=layer_sizes)
    # An initial mask may keep fewer weights than the schedule asks for.
    return 0 if settings.initial_mask else fewest - _uncounted(settings, row, zeros_at_start), most


def _uncounted(settings: RunSettings, row: MegabatchRow, zeros_at_start: int | None) -> int:
    """Return how many kept weights the counts may leave out, because a kept weight that is zero is not counted.

    Weights that were zero at the start may have stayed zero. Initial weights from a file may contain any number of
    zeros, which runs of earlier code did not count.
    """
    if settings.initial_weights:
        return row.prunable_count
    return (zeros_at_start or 0) + metrics.chance_zeros(row.prunable_count)
