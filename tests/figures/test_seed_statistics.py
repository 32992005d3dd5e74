"""Test statistics over seeds against scipy.stats, statsmodels and by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from anytime_pruning.figures.seed_statistics import (
    estimate,
    holm,
    interval_of,
    name_interval,
    paired_difference,
    summarize_seeds,
)
from anytime_pruning.foundation.errors import DataError

VALUES = [71.2, 69.8, 73.1, 70.4, 70.9]


def test_the_interval_is_students():
    one = estimate(VALUES)
    low, high = stats.t.interval(0.95, 4, loc=np.mean(VALUES), scale=stats.sem(VALUES))
    assert (one.mean, one.low, one.high, one.seeds) == pytest.approx((np.mean(VALUES), low, high, 5))
    # t(0.975, 2) = 4.302653 from a printed table; the standard error of 1, 2 and 3 is 1 / sqrt(3).
    assert estimate([1, 2, 3]).high == pytest.approx(2 + 4.302653 / np.sqrt(3), abs=1e-6)
    assert interval_of(VALUES) == (one.low, one.high)


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


@pytest.mark.parametrize("values", [[2.0, 2.0, 2.0], [0.0] * 5, [4.0, 4.0], [0.3 - 0.2, 0.2 - 0.1, 0.4 - 0.3]])
def test_equal_seeds_have_neither_an_interval_nor_a_p_value(values):
    """The last values are all 0.1 but for rounding in binary."""
    one = estimate(values)
    assert one[:4] == (one.mean, one.mean, one.mean, len(values))
    assert one.mean == pytest.approx(values[0])
    assert one.is_constant
    assert np.isnan(one.p_value)
    summary = summarize_seeds(pd.DataFrame({"key": 0, "seed": range(len(values)), "x": values}), ["key"], ["x"])
    assert summary[["x_mean", "x_low", "x_high"]].to_numpy().tolist() == [[summary["x_mean"][0]] * 3]


def test_numbers_are_averaged_in_double_precision_whatever_they_come_in():
    # 16,777,217 is no number of single precision, in which the sum of these two is twice the first.
    assert estimate(np.array([16_777_216, 16_777_218], np.float32)).mean == 16_777_217
    assert holm(np.array([0.01, 0.5], np.float32)).dtype == np.float64


def test_one_seed_is_not_called_constant():
    assert not estimate([4.0]).is_constant
    assert not estimate([1.0, 2.0, 3.0]).is_constant


def test_holm_by_hand():
    """The smallest of four p-values counts four times, the next three times, and none is below an earlier one."""
    assert holm([0.03, 0.01, 0.04, 0.005]) == pytest.approx([0.06, 0.03, 0.06, 0.02])
    # Two of three are tests: 0.03 counts once and is at least 2 * 0.02.
    assert holm([0.02, np.nan, 0.03]) == pytest.approx([0.04, np.nan, 0.04], nan_ok=True)
    assert np.isnan(holm([np.nan])).all()


def test_a_table_is_summarized_as_each_of_its_groups():
    """Try groups of three seeds, five, two and one, in no order; a run that is there twice is an error."""
    seeds = [*range(3), *range(5), 0, 1, 0]
    x = [1, 2, 3, *VALUES, 3, 5, 4]
    table = pd.DataFrame({"key": list("dddaaaaabbc"), "seed": seeds, "x": x, "y": [2 * value for value in x[::-1]]})
    summary = summarize_seeds(table, ["key"], ["x", "y"])
    assert summary["key"].tolist() == list("abcd")
    assert summary["seeds"].tolist() == [5, 2, 1, 3]
    for key, row in summary.set_index("key").iterrows():
        for column in "xy":
            expected = estimate(table.loc[table["key"] == key, column])
            assert tuple(row[f"{column}_{name}"] for name in ("mean", "low", "high")) == pytest.approx(expected[:3])
    with pytest.raises(DataError, match=r"two rows are of the same run: \{'key': 'd', 'seed': 0\}"):
        summarize_seeds(pd.concat([table, table[:1].assign(x=9)]), ["key"], ["x"])


def test_an_interval_is_called_what_it_is():
    assert name_interval(pd.Series([3, 5])) == "95 % interval of the mean (Student's t)"
    assert name_interval(pd.Series([2, 5])).endswith("below 3 seeds their range")
    assert name_interval(pd.Series([2, 3])) == name_interval(pd.Series([2, 5]))
    assert name_interval(pd.Series([2, 2])).startswith("range over the seeds")
    assert name_interval(pd.Series([1])).startswith("none")
