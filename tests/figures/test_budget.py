"""Test what training costs, what a series reaches within a budget, and the figure and the table of it."""

import pandas as pd
import pytest

from anytime_pruning.figures.budget.spending import add_spent, affordable, compare_best, unit_of
from anytime_pruning.figures.plots import budget as plot
from anytime_pruning.figures.series import Series
from anytime_pruning.figures.tables import budget as table

DENSE, APP = Series("paper", "dense", "none"), Series("paper", "app", "snip")


def megabatches(accuracies, kept_share, series, seeds=(0, 1, 2), errors=(60, 50, 40)):
    """Return rows of a stream of three megabatches that cost 100, 200 and 300 operations of a dense network."""
    return pd.DataFrame(
        [
            {
                **{"dataset": "digits", "model": "resnet20", "n_megabatches": 3, "seed": seed, "t": t},
                **dict(zip(("protocol", "method", "pruner", "variant"), series)),
                "train_macs": 100 * t,
                "train_macs_kept": int(100 * t * kept_share),
                "test_acc_pct": accuracy + 0.1 * seed * (1 if series == DENSE else -1),
                "error_count": error + seed,
            }
            for seed in seeds
            for t, accuracy, error in zip((1, 2, 3), accuracies, errors)
        ]
    )


@pytest.fixture
def both():
    dense = megabatches((30.0, 50.0, 70.0), 1, DENSE)
    app = megabatches((35.0, 52.0, 60.0), 0.5, APP, errors=(50, 45, 40))
    return pd.concat([dense, app], ignore_index=True)


def test_costs_and_errors_are_summed_along_the_stream_of_each_run(both):
    spent = add_spent(both.sample(frac=1, random_state=1))
    (row,) = spent[(spent["method"] == "app") & (spent["seed"] == 2) & (spent["t"] == 3)].to_dict("records")
    assert row["spent_train_macs"] == 600
    assert row["spent_train_macs_kept"] == 300
    assert row["cer_count"] == 50 + 45 + 40 + 3 * 2


def test_a_series_reaches_the_last_megabatch_that_it_can_pay(both):
    spent = add_spent(both)
    reached = {one.series: one.t for one in affordable(spent, "train_macs_kept", 300, "test_acc_pct", whole=False)}
    assert reached == {DENSE: 2, APP: 3}
    assert [one.series for one in affordable(spent, "train_macs_kept", 300, "cer_count", whole=True)] == [APP]
    assert [one.series for one in affordable(spent, "train_macs_kept", 99, "test_acc_pct", whole=False)] == [APP]
    assert affordable(spent, "train_macs", 99, "test_acc_pct", whole=False) == []


def test_every_seed_has_to_pay(both):
    spent = add_spent(both)
    spent.loc[(spent["method"] == "app") & (spent["seed"] == 1), "spent_train_macs"] += 30
    reached = affordable(spent, "train_macs", 615, "test_acc_pct", whole=False)  # enough for the mean over seeds
    assert {one.series: one.t for one in reached} == {DENSE: 3, APP: 2}


def test_megabatches_without_training_are_no_result_of_a_budget():
    waiting = megabatches((10.0, 10.0, 60.0), 1, DENSE)
    waiting.loc[waiting["t"] < 3, ["train_macs", "train_macs_kept"]] = 0
    assert affordable(add_spent(waiting), "train_macs", 299, "test_acc_pct", whole=False) == []


def test_the_best_is_compared_with_the_next_seed_by_seed(both):
    spent = add_spent(both)
    accuracy = compare_best(affordable(spent, "train_macs", 600, "test_acc_pct", whole=False), False)
    assert (accuracy.best.series, accuracy.second.series) == (DENSE, APP)
    assert accuracy.difference.mean == pytest.approx(10.2)
    assert accuracy.difference.seeds == 3
    errors = compare_best(affordable(spent, "train_macs", 600, "cer_count", whole=True), True)
    assert (errors.best.series, errors.difference.mean) == (APP, -15)
    alone = compare_best(affordable(spent, "train_macs_kept", 300, "cer_count", whole=True), True)
    assert (alone.best.series, alone.second, alone.difference) == (APP, None, None)
    assert compare_best([], True) is None


def test_the_table_names_who_is_best_within_each_budget(both):
    shown, note, numbers = table.tabulate(both)
    rows = {(row["Cost"], row["Budget"], row["Measure"]): row for row in shown.to_dict("records")}
    at_half = rows["of kept weights", "300.0 (50 %)", "Test accuracy (%)"]
    assert at_half["Best"] == "APP, SNIP (t = 3)"
    assert at_half["Next"] == "Dense baseline (t = 2)"
    assert at_half["Difference"] == "+9.80 ± 0.50"
    at_end = rows["executed", "600.0 (100 %)", "Test accuracy (%)"]
    assert at_end["Best"] == "Dense baseline (t = 3)"
    assert rows["of kept weights", "300.0 (50 %)", "CER (count)"]["Next"] == "no other"
    assert ("executed", "300.0 (50 %)", "CER (count)") not in rows
    assert len(numbers) == len(shown)
    assert "dearest" in note


def test_series_that_are_not_told_apart_are_called_so(both):
    close = both.copy()
    close.loc[close["method"] == "app", "test_acc_pct"] += [9.9 + 0.3 * (i % 5) for i in range(9)]
    shown, *_ = table.tabulate(close)
    at_end = shown[(shown["Cost"] == "executed") & shown["Measure"].str.startswith("Test")].iloc[-1]
    assert at_end["Difference"].endswith(", not told apart")
    few, *_ = table.tabulate(both[both["seed"] < 2])
    assert few["Difference"].str.endswith(("not told apart", "–")).all()


def test_the_figure_has_a_mark_for_each_series_at_the_end_of_the_stream(both):
    figure, numbers = plot.draw(both)
    assert [axis.get_title() for axis in figure.axes[:2]] == list(plot.TITLES.values())
    marks = [
        sorted((container[0].get_xdata()[0], container[0].get_ydata()[0]) for container in axis.containers)
        for axis in figure.axes
    ]
    # As executed, both cost 600, so their marks are side by side, APP first; of kept weights APP costs 300.
    width = 600 * plot.MARK_WIDTH
    assert marks[0] == [(600 - width / 2, pytest.approx(59.9)), (600 + width / 2, pytest.approx(70.1))]
    assert marks[1] == [(300, pytest.approx(59.9)), (600, pytest.approx(70.1))]
    assert marks[3] == [(300, 50 + 45 + 40 + 3), (600, 60 + 50 + 40 + 3)]
    assert len(numbers) == 2 * 3


def test_marks_far_from_each_other_stay_at_their_cost():
    other = Series("paper", "osp", "snip")
    places = plot._set_side_by_side({DENSE: 100.0, APP: 50.0, other: 51.0})
    assert places == {DENSE: 100, APP: 49.25, other: 51.75}


@pytest.mark.parametrize(
    ("cost", "unit", "name"),
    [(0, 1, ""), (999, 1, ""), (1000, 1e3, "10³"), (73.4e9, 1e9, "10⁹"), (1e12, 1e12, "10¹²"), (2.5e17, 1e15, "10¹⁵")],
)
def test_a_cost_has_the_unit_in_which_it_is_readable(cost, unit, name):
    assert unit_of(cost) == (unit, name)
