"""Test the figure of differences from the dense baseline, drawn from made-up tables."""

import numpy as np
import pandas as pd
import pytest
from drawing import MARGINS, clean_style, draw_short  # noqa: F401 (a fixture)
from made_up_tables import PAPER, RELEASED, make_runs

from anytime_pruning.figures.plots import short
from anytime_pruning.figures.seed_statistics import paired_difference
from anytime_pruning.figures.tables import equivalence

MEASURES = ("test_acc_pct", "cumulative_error_count", "generalization_gap_pct")


def make_different(n_seeds=3):
    """Make runs in which APP has 1, 2, 3, ... points more than the dense network, and a tenth of its errors less."""
    runs = make_runs(lengths=(8,), seeds=range(n_seeds), series=(PAPER[0], PAPER[3]))
    is_app = runs["method"] == "app"
    runs.loc[is_app, "test_acc_pct"] += runs.loc[is_app, "seed"] + 1
    runs["cumulative_error_count"] = runs["cumulative_error_count"].astype(float)
    runs.loc[is_app, "cumulative_error_count"] *= 0.9
    runs.loc[is_app, "generalization_gap_pct"] -= 2
    return runs


def marks(axis):
    """Return the rows and the values of the marks of a panel."""
    found = [line for line in axis.lines if line.get_marker() not in (None, "None", "")]
    return sorted((float(line.get_ydata()[0]), round(float(line.get_xdata()[0]), 6)) for line in found)


def bars(axis):
    """Return both ends of the bars of a panel, from the top row to the lowest."""
    found = [line for line in axis.lines if line.get_marker() in (None, "None", "") and len(line.get_xdata()) == 2]
    rows = [line for line in found if line.get_ydata()[0] == line.get_ydata()[1] and line.get_zorder() == 1.5]
    return [tuple(map(float, line.get_xdata())) for line in sorted(rows, key=lambda line: line.get_ydata()[0])]


def test_marks_are_paired_differences_with_their_intervals():
    runs = make_different()
    figure, numbers = draw_short(runs)
    sides = {method: rows.set_index("seed") for method, rows in runs.groupby("method")}
    scales = (1, 100 / sides["dense"]["cumulative_error_count"].mean(), 1)
    for axis, measure, scale in zip(figure.axes, MEASURES, scales):
        expected = paired_difference(sides["app"][measure] * scale, sides["dense"][measure] * scale)
        assert marks(axis) == [(0, round(expected.mean, 6))]
        assert numbers[f"{measure}_low"].tolist() == pytest.approx([expected.low])
        if not expected.is_constant:
            assert bars(axis) == [pytest.approx((expected.low, expected.high))]
    assert marks(figure.axes[0]) == [(0, 2)]
    assert marks(figure.axes[1]) == [(0, -10)]
    assert numbers["minus"].tolist() == ["Dense baseline"]


def test_the_band_is_the_margin_of_the_table_of_equivalence():
    figure, _ = draw_short(make_different())
    *_, numbers = equivalence.tabulate(make_different(), MARGINS)
    for axis, measure in zip(figure.axes[:2], MEASURES):
        (band,) = axis.patches
        expected = numbers.loc[numbers["measure"] == measure, "margin"].item()
        if measure == "cumulative_error_count":
            expected *= 100 / make_different().query("method == 'dense'")[measure].mean()
        assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((-expected, expected))
    assert figure.axes[2].patches[0].get_width() == 0
    (text,) = [label.get_text() for label in figure.legends[0].get_texts()]
    assert text == "Margin of equivalence: ± 1 point of accuracy, ± 2 % of CER; none for the gap"


def test_one_seed_is_a_mark_without_a_bar():
    figure, _ = draw_short(make_different(1))
    assert marks(figure.axes[0]) == [(0, 1)]
    assert not [ends for ends in bars(figure.axes[0]) if np.ptp(ends) > 0]
    assert "One seed, which has no interval" in figure.get_suptitle()


def test_rows_name_methods_and_networks_in_order():
    models = ("resnet101", "resnet18", "vgg16_bn")
    figure, _ = draw_short(pd.concat([make_runs(lengths=(8,), model=model) for model in models]))
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    series = ["APP, SNIP", "APP, magnitude", "Anytime OSP, SNIP", "APP, SNIP (released)"]
    assert names == [
        *(f"ResNet-18:  {series[0]}", *series[1:]),
        *(f"ResNet-101:  {series[0]}", *series[1:]),
        *(f"VGG-16-BN:  {series[0]}", *series[1:]),
    ]
    assert [axis.yaxis.get_tick_params()["labelleft"] for axis in figure.axes] == [True, False, False]


def test_each_dataset_and_t_has_a_row_of_panels_on_the_same_scale():
    runs = pd.concat([make_runs(lengths=(4, 8)), make_runs(lengths=(8,), dataset="cifar10")])
    figure, _ = draw_short(runs)
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert titles[::3] == ["CIFAR-10, ResNet-20, T = 8", "digits, ResNet-20, T = 4", "digits, ResNet-20, T = 8"]
    assert len({axis.get_xlim() for axis in figure.axes[::3]}) == 1


def test_a_series_is_subtracted_from_the_dense_network_of_its_protocol():
    own = ("released", "dense", "none")
    runs = make_runs(lengths=(8,), series=(*PAPER, RELEASED, own))
    runs.loc[(runs["protocol"] == "released") & (runs["method"] == "dense"), "test_acc_pct"] -= 5
    _, numbers = draw_short(runs)
    found = numbers.set_index("protocol")[["minus", "test_acc_pct_mean"]].to_numpy().tolist()
    assert found[-1] == ["Dense baseline (released)", 5]
    _, numbers = draw_short(make_runs(lengths=(8,)))
    assert set(numbers["minus"]) == {"Dense baseline"}


def test_only_common_seeds_are_compared():
    runs = make_different()
    runs = runs[~((runs["method"] == "dense") & (runs["seed"] == 2))]
    differences = short.subtract_dense(runs)
    assert differences["seed"].tolist() == [0, 1]
    assert differences["test_acc_pct"].tolist() == [1, 2]
