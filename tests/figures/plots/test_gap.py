"""Test the figures of the gap on a long stream and on streams of several lengths, drawn from made-up tables."""

from drawing import clean_style, curves, legend_of  # noqa: F401 (a fixture)
from made_up_tables import PAPER, RELEASED, make_megabatches
from matplotlib.colors import to_hex

from anytime_pruning.figures import style
from anytime_pruning.figures.plots import gap, sweep

BLUE = style.COLORS["app", "paper"]


def test_a_long_stream_has_both_gaps_and_a_legend_of_names_alone():
    figure, numbers = gap.draw(make_megabatches(lengths=(25,), seeds=range(3), series=PAPER))
    assert legend_of(figure) == ["APP, SNIP", "APP, magnitude", "Anytime OSP, SNIP", "Dense baseline"]
    assert [axis.get_ylabel() for axis in figure.axes] == ["Gap\n(percentage points)", "Clean gap\n(percentage points)"]
    # The gap is t plus the seed.
    assert curves(figure.axes[0])[BLUE, "-"] == [(t, t + 1) for t in range(1, 26)]
    assert len(numbers) == 25 * 4
    assert "noise" not in figure.get_suptitle()


def test_many_series_are_in_columns_of_the_same_scale():
    series = (*PAPER, RELEASED, ("released", "dense", "none"))
    figure, _ = gap.draw(make_megabatches(lengths=(25,), series=series))
    assert [axis.get_title() for axis in figure.axes[:2]] == ["protocol: paper", "protocol: released"]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    assert figure.axes[-1].get_xlabel() == "Megabatch index t"


def test_a_sweep_has_a_column_for_each_series_and_a_line_for_each_length():
    figure, numbers = sweep.draw(make_megabatches(lengths=(2, 4), series=(PAPER[0], PAPER[3])))
    assert [axis.get_title() for axis in figure.axes[:2]] == ["APP, SNIP", "Dense baseline"]
    assert legend_of(figure) == ["T = 2", "T = 4"]
    light, dark = (to_hex(color).upper() for color in style.sequential_colors(2))
    found = curves(figure.axes[0])
    assert found[light, "-"] == [(50, 1.5), (100, 2.5)]
    assert found[dark, "-"] == [(25, 1.5), (50, 2.5), (75, 3.5), (100, 4.5)]
    assert sorted(numbers["n_megabatches"].unique()) == [2, 4]
