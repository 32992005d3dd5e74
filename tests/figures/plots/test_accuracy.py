"""Test the figure of test accuracy along a stream, drawn from made-up tables."""

import pytest
from drawing import clean_style, curves, legend_of  # noqa: F401 (a fixture)
from made_up_tables import PAPER, RELEASED, make_megabatches

from anytime_pruning.figures.plots import accuracy
from anytime_pruning.figures.plots.parts.lines import BARS_WIDTH
from anytime_pruning.figures.seed_statistics import estimate
from anytime_pruning.figures.style import COLORS

APP, DENSE = PAPER[0], PAPER[3]
BLUE, GREY, PINK = (COLORS[one] for one in (("app", "paper"), ("dense", "paper"), ("app", "released")))


def panels(figure, n_columns=2):
    """Return the panels of a figure by row and column."""
    return [figure.axes[start : start + n_columns] for start in range(0, len(figure.axes), n_columns)]


def test_lines_are_means_over_seeds_against_t_and_against_the_computation_of_kept_weights():
    figure, numbers = accuracy.draw(make_megabatches(lengths=(3,), series=(APP, DENSE)))
    (over_t, over_cost), (density, density_over_cost) = panels(figure)
    # Two series of two seeds stand side by side, a quarter of the width to the left and to the right of t.
    aside = BARS_WIDTH / 4
    assert curves(over_t)[BLUE, "-"] == [(round(t - aside, 6), 50.5 + t) for t in (1, 2, 3)]
    assert curves(over_t)[GREY, "-"] == [(round(t + aside, 6), 50.5 + t) for t in (1, 2, 3)]
    # Kept weights are 1 / t of all, so APP pays a unit at each megabatch, and the dense network pays t units.
    assert curves(over_cost)[BLUE, "-"] == [(1, 51.5), (2, 52.5), (3, 53.5)]
    assert curves(over_cost)[GREY, "-"] == [(1, 51.5), (3, 52.5), (6, 53.5)]
    assert curves(density)[BLUE, "-"] == [(1, 100), (2, 50), (3, 33.333333)]
    assert curves(density)[GREY, "-"] == [(1, 100), (2, 100), (3, 100)]
    assert curves(density_over_cost)[GREY, "-"] == [(1, 100), (3, 100), (6, 100)]
    assert over_t.get_ylabel() == "Test accuracy (%)"
    assert density.get_xlabel() == "Megabatch index t"
    assert density_over_cost.get_xlabel() == "Training so far (10⁹ multiply-accumulates\nof the weights that are kept)"
    assert legend_of(figure) == ["APP, SNIP", "Dense baseline"]
    last = numbers[(numbers["method"] == "dense") & (numbers["t"] == 3)].iloc[0]
    assert (last["test_acc_pct_mean"], last["density_pct_mean"], last["spent_train_macs_kept_mean"]) == (53.5, 100, 6e9)


def test_bars_are_the_intervals_of_the_tables():
    figure, _ = accuracy.draw(make_megabatches(lengths=(3,), series=(APP,), seeds=range(3)))
    ((over_t, _), _) = panels(figure)
    (bars,) = over_t.collections
    expected = estimate([51.0, 52.0, 53.0])
    assert bars.get_segments()[0][:, 1] == pytest.approx([expected.low, expected.high])


def test_an_interval_is_cut_where_no_accuracy_can_be():
    table = make_megabatches(lengths=(3,), series=(APP,), seeds=range(3))
    table["test_acc_pct"] = 92.0 + 4 * table["seed"]
    figure, numbers = accuracy.draw(table)
    (bars,) = figure.axes[0].collections
    expected = estimate([92.0, 96.0, 100.0])
    assert expected.high > 100
    assert bars.get_segments()[0][:, 1] == pytest.approx([expected.low, 100])
    assert numbers["test_acc_pct_high"].tolist() == pytest.approx([expected.high] * 3)  # the CSV has the interval


def test_a_long_stream_has_bands_and_one_seed_has_neither():
    figure, _ = accuracy.draw(make_megabatches(lengths=(25,), series=(APP,), seeds=range(3)))
    (band,) = figure.axes[0].collections
    first = [y for x, y in band.get_paths()[0].vertices if x == 1]
    expected = estimate([51.0, 52.0, 53.0])
    assert (min(first), max(first)) == pytest.approx((expected.low, expected.high))
    assert "bands: 95 %" in figure.get_suptitle()
    figure, _ = accuracy.draw(make_megabatches(lengths=(3,), series=(APP,), seeds=[0]))
    assert not [segment for bars in figure.axes[0].collections for segment in bars.get_segments() if len(segment)]
    assert curves(figure.axes[0])[BLUE, "-"] == [(1, 51), (2, 52), (3, 53)]


def test_megabatches_without_training_are_one_point_of_computation():
    table = make_megabatches(lengths=(4,), series=(APP,), seeds=range(3))
    table.loc[table["t"] < 3, "train_macs_kept"] = 0
    table.loc[table["t"] < 3, "test_acc_pct"] = 10.0 + table["seed"]
    figure, _ = accuracy.draw(table)
    ((over_t, over_cost), _) = panels(figure)
    assert curves(over_cost)[BLUE, "-"] == [(0, 11), (1, 54), (2, 55)]
    assert curves(over_t)[BLUE, "-"] == [(1, 11), (2, 11), (3, 54), (4, 55)]
    (bars,) = over_cost.collections
    expected = estimate([10.0, 11.0, 12.0])  # and not of six values
    assert bars.get_segments()[0][:, 1] == pytest.approx([expected.low, expected.high])


def test_seven_series_are_in_two_panels_of_the_same_scale():
    seven = (*PAPER, RELEASED, ("released", "osp", "snip"), ("released", "dense", "none"))
    figure, _ = accuracy.draw(make_megabatches(lengths=(3,), series=seven))
    rows = panels(figure)
    assert [row[0].get_title(loc="left") for row in rows] == ["protocol: paper", "protocol: released", ""]
    assert [len(curves(axis)) for row in rows[:2] for axis in row] == [4, 4, 3, 3]
    assert rows[0][0].get_ylim() == rows[1][1].get_ylim()
    assert len(legend_of(figure)) == 7


def test_tables_without_computation_have_one_column():
    table = make_megabatches(lengths=(3,), series=(APP,)).drop(columns=["train_macs", "train_macs_kept"])
    figure, numbers = accuracy.draw(table)
    assert [axis.get_xlabel() for axis in figure.axes] == ["", "Megabatch index t"]
    assert "spent_train_macs_kept_mean" not in numbers
