"""Test statistics over seeds against scipy.stats and by hand, and the direction changes of a curve."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from anytime_pruning.figures import gap_curve
from anytime_pruning.figures.seed_statistics import estimate, name_interval, paired_difference, summarize_seeds

VALUES = [71.2, 69.8, 73.1, 70.4, 70.9]


def test_the_interval_is_students():
    one = estimate(VALUES)
    low, high = stats.t.interval(0.95, 4, loc=np.mean(VALUES), scale=stats.sem(VALUES))
    assert (one.mean, one.low, one.high, one.seeds) == pytest.approx((np.mean(VALUES), low, high, 5))
    # t(0.975, 2) = 4.302653 from a printed table; the standard error of 1, 2 and 3 is 1 / sqrt(3).
    assert estimate([1, 2, 3]).high == pytest.approx(2 + 4.302653 / np.sqrt(3), abs=1e-6)


@pytest.mark.parametrize("values", [[3.0, 5.0], [4.0]])
def test_fewer_than_three_seeds_have_their_range(values):
    one = estimate(values)
    assert one[:4] == (4.0, min(values), max(values), len(values))
    assert np.isnan(one.p_value)


def test_differences_are_those_of_equal_seeds():
    first = pd.Series([10.0, 20.0, 33.0, 99.0], index=[0, 1, 2, 7])
    second = pd.Series([30.0, 9.0, 18.0], index=[2, 0, 1])
    one = paired_difference(first, second)
    expected = stats.ttest_rel([10.0, 20.0, 33.0], [9.0, 18.0, 30.0])
    assert one.p_value == pytest.approx(expected.pvalue)
    assert (one.low, one.high) == pytest.approx(tuple(expected.confidence_interval()))
    assert (one.mean, one.seeds) == (2.0, 3)
    with pytest.raises(ValueError, match="no seed in common"):
        paired_difference(first, second.rename({2: 5, 0: 6, 1: 8}))
    with pytest.raises(ValueError, match="seed 0 occurs twice"):
        paired_difference(pd.concat([first, first[:1]]), second)


def test_a_difference_without_spread_is_certain():
    summary = summarize_seeds(pd.DataFrame({"key": 0, "seed": range(3), "x": 2.0}), ["key"], ["x"])
    assert summary[["x_mean", "x_low", "x_high"]].to_numpy().tolist() == [[2.0, 2.0, 2.0]]
    assert estimate([2.0, 2.0, 2.0]) == (2.0, 2.0, 2.0, 3, 0.0)
    assert estimate([0.0, 0.0, 0.0]).p_value == 1.0


def test_a_table_is_summarized_as_each_of_its_groups():
    table = pd.DataFrame({"key": list("aaaaabbc"), "seed": [*range(5), 0, 1, 0], "x": [*VALUES, 3, 5, 4]})
    summary = summarize_seeds(table, ["key"], ["x"])
    assert summary["seeds"].tolist() == [5, 2, 1]
    for key, row in summary.set_index("key").iterrows():
        expected = estimate(table.loc[table["key"] == key, "x"])
        assert (row["x_mean"], row["x_low"], row["x_high"]) == pytest.approx(expected[:3])
    with pytest.raises(ValueError, match="two rows are of the same run"):
        summarize_seeds(pd.concat([table, table[:1]]), ["key"], ["x"])


def test_an_interval_is_called_what_it_is():
    assert name_interval(pd.Series([3, 5])) == "95 % interval of the mean (Student's t)"
    assert name_interval(pd.Series([2, 5])).endswith("below 3 seeds their range")
    assert name_interval(pd.Series([2, 2])).startswith("range over the seeds")
    assert name_interval(pd.Series([1])).startswith("none")


@pytest.mark.parametrize(
    ("curve", "changes"),
    [
        ([0, 1, 2, 3, 4], 0),
        ([4, 3, 3, 1, 0], 0),
        ([0, 4, 0], 1),
        ([0, 4, 0, 4], 2),
        ([0, 3, 2.5, 6, 5.2, 9], 0),  # moves back by less than a point
        ([0, 3, 2.4, 1.9, 6], 2),  # by 1.1 points in two steps
        ([5, 5.4, 4.9, 5.2], 0),
        ([0.4, 0, 3, 0.9], 1),
        ([7], 0),
    ],
)
def test_direction_changes_by_hand(curve, changes):
    assert gap_curve.count_direction_changes(curve) == changes
    assert gap_curve.count_direction_changes([-value for value in curve]) == changes


def test_windows_grow_with_the_stream_and_are_odd():
    windows = {length: gap_curve.window_of(length) for length in (8, 25, 50, 100)}
    assert windows == {8: 3, 25: 3, 50: 5, 100: 11}
    assert gap_curve.smooth([0, 3, 6, 0, 0], 3) == pytest.approx([3, 3, 2])


def test_noise_on_a_rising_curve_changes_no_direction_but_a_wave_does():
    t = np.arange(100)
    noise = np.random.default_rng(0).normal(0, 1, 100)
    for curve, changes in ((t / 5 + noise, 0), (8 * np.sin(t / 100 * 4 * np.pi) + noise, 4)):
        assert gap_curve.count_direction_changes(gap_curve.smooth(curve, 11)) == changes


def test_each_seed_is_counted_for_itself():
    rows = [
        {"key": "a", "seed": seed, "t": t, "gap": 0.0 if seed else 6.0 * (t % 6 < 3)}
        for seed in (0, 1)
        for t in (7, 2, 11, 4, 1, 9, 12, 3, 6, 10, 5, 8)
    ]
    counted = gap_curve.direction_changes(pd.DataFrame(rows), ["key"], "gap")
    assert counted.set_index("seed")["direction_changes"].to_dict() == {0: 3, 1: 0}
