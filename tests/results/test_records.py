"""Test the final numbers of a run by hand, from rows of a stream of two megabatches."""

from dataclasses import replace
from math import fsum

import pytest

from anytime_pruning.foundation.metrics import MacCount
from anytime_pruning.results.records import Records
from anytime_pruning.results.rows import EpochRow, LayerRow, MegabatchRow
from anytime_pruning.settings.cost import PlannedCost

FIRST = MegabatchRow(
    t=1,
    density_asked=0.8,
    density_measured=0.81,
    kept_count=24,
    prunable_count=30,
    train_count=45,
    valid_count=5,
    best_epoch=2,
    train_acc_running_pct=61.0,
    valid_acc_augmented_pct=60.0,
    generalization_gap_pct=1.0,
    train_acc_pct=62.0,
    valid_acc_pct=58.0,
    clean_gap_pct=4.0,
    test_acc_pct=40.0,
    error_count=6,
    test_count=10,
    samples=90,
    seconds=3.1234,
    prune_seconds=0.5004,
    zero_score_layers=2,
    empty_layers=3,
)
LAST = replace(
    FIRST,
    t=2,
    density_measured=0.4,
    kept_count=12,
    generalization_gap_pct=-2.5,
    clean_gap_pct=7.5,
    test_acc_pct=70.0,
    error_count=3,
    samples=180,
    seconds=5.0,
    prune_seconds=0.25,
    zero_score_layers=1,
    empty_layers=0,
)


@pytest.fixture
def records():
    """Return two megabatches of two epochs each, on a network of two layers and a classifier of 7 operations."""
    made = Records(PlannedCost(train=270, score=20, evaluate=99), MacCount({"a": 4, "b": 9}, fixed=7))
    for row, kept in ((FIRST, (20, 4)), (LAST, (10, 2))):
        epochs = [EpochRow(row.t, epoch, 0.1, row.samples // 2, 1.0, 50.0, 1.0, 50.0, 0.90962) for epoch in (1, 2)]
        made.append(row, epochs, [LayerRow(row.t, "a", kept[0], 25, 0), LayerRow(row.t, "b", kept[1], 5, 0)])
    return made


def test_final_numbers_by_hand(records):
    assert records.final_numbers().model_dump() == {
        "test_acc_pct": 70.0,
        "cumulative_error_count": 9,
        "cumulative_error_rate": 9 / 20,
        "anytime_relative_errors": [-0.3],
        "generalization_gap_pct": -2.5,
        "clean_gap_pct": 7.5,
        "density": 0.4,
        "kept_count": 12,
        "prunable_count": 30,
        "macs_kept": 7 + 4 * 10 + 9 * 2,
        "macs_count": 7 + 4 * 25 + 9 * 5,
        "samples": 270,
        "zero_score_layers": 2,
        "empty_layers": 0,
    }


def test_rows_of_every_megabatch_are_kept(records):
    assert records.megabatches == [FIRST, LAST]
    assert [(row.t, row.epoch) for row in records.epochs] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert [(row.t, row.layer) for row in records.layers] == [(1, "a"), (1, "b"), (2, "a"), (2, "b")]


def test_a_stream_of_one_megabatch_has_the_numbers_of_that_megabatch(records):
    records.megabatches.remove(LAST)
    found = records.final_numbers()
    assert (found.test_acc_pct, found.density, found.cumulative_error_rate) == (40.0, 0.81, 0.6)
    assert (found.anytime_relative_errors, found.macs_kept) == ([], 7 + 4 * 20 + 9 * 4)


@pytest.mark.parametrize(("counts", "largest"), [((0, 0), 0), ((0, 4), 4), ((1, None), None), ((None, None), None)])
def test_the_largest_number_of_layers_without_scores_is_kept_if_it_was_counted(records, counts, largest):
    records.megabatches = [replace(row, zero_score_layers=count) for row, count in zip((FIRST, LAST), counts)]
    assert records.final_numbers().zero_score_layers == largest


def test_cost_by_hand(records):
    cost = records.cost()
    assert cost.planned_samples.model_dump() == {"train": 270, "score": 20, "evaluate": 99}
    # 270 images of four epochs in 3.63848 seconds; seconds are kept to a thousandth, and the speed to a tenth.
    assert (cost.stream_s, cost.prune_s, cost.train_s, cost.train_samples_per_s) == (8.123, 0.75, 3.638, 74.2)


def test_times_are_added_without_rounding_errors(records):
    """Add times whose sum is just below a limit of rounding, and above it if each addition rounds."""
    times = [0.5209, 0.3933, 0.4897, 0.0296]
    assert (round(naive_sum(times), 3), round(fsum(times), 3)) == (1.434, 1.433)
    records.epochs = [replace(records.epochs[0], seconds=seconds) for seconds in times]
    assert records.cost().train_s == 1.433


def naive_sum(numbers):
    """Add as Python 3.11 does; newer versions compensate."""
    total = 0.0
    for number in numbers:
        total += number
    return total


def test_a_run_without_a_measured_second_has_a_speed(records):
    records.epochs = [replace(row, seconds=0.0) for row in records.epochs]
    assert records.cost().train_samples_per_s == 270_000.0
