"""Test the figure of densities by layer, drawn from made-up tables."""

from itertools import pairwise

import pandas as pd
from drawing import clean_style, contrast_to_white, curves, draw_layers, legend_of  # noqa: F401 (a fixture)
from made_up_tables import PAPER, make_layers, make_megabatches

from anytime_pruning.figures.plots import layers


def make_deep(n_layers=53, n_panels=1):
    """Make the layers of a deep network, and its megabatches, with a series for each panel."""
    series = [("paper", "app", pruner) for pruner in ("snip", "magnitude", "random", "grasp", "synflow")][:n_panels]
    first = make_layers(lengths=(3,), series=series).query("layer == 'conv1'")
    names = [f"network.layer{place // 10}.{place % 10}.conv.weight" for place in range(n_layers)]
    table = pd.concat([first.assign(layer=name) for name in names]).sort_values(["run", "t"], kind="stable")
    return table, make_megabatches(lengths=(3,), series=series)


def test_layers_are_in_the_order_of_the_network_and_in_percent():
    figure, summary = draw_layers({})
    row = summary[(summary["t"] == 2) & (summary["pruner"] == "snip") & (summary["protocol"] == "paper")]
    assert row.sort_values("depth")["layer"].tolist() == ["conv1", "layer1.conv", "layer2.conv"]
    assert row["density_pct_mean"].tolist() == [50.0] * 3
    assert row["early_minus_overall_points_mean"].tolist() == [0.0] * 3
    # At t = 1, magnitude keeps 15 of 60 weights in the first third of the layers, and 255 of 300 in all.
    hard = summary[(summary["t"] == 1) & (summary["pruner"] == "magnitude")]
    assert hard["early_minus_overall_points_mean"].tolist() == [25.0 - 85.0] * 3
    titles = [axis.get_title() for axis in figure.axes[:3]]
    assert titles[1] == "APP, magnitude\nearly − all: −60.0, −20.0"
    assert titles[2].startswith("APP, SNIP (released)")
    axis = figure.axes[0]
    assert axis.yaxis.get_ticklabels()[0].get_text() == "conv1"
    assert axis.get_ylim()[0] > axis.get_ylim()[1]  # the first layer is at the top
    lines = list(curves(axis).values())
    assert [(50, 1), (50, 2), (50, 3)] in lines
    assert len(lines) == 3


def test_the_densities_that_were_asked_for_are_broken_lines_at_the_first_and_last_megabatch():
    figure, _ = draw_layers({"series": PAPER})
    broken = [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert [round(line.get_xdata()[0], 3) for line in broken] == [100, 33.333]
    assert legend_of(figure) == ["density asked of the whole network at t = 1 and t = 3"]


def test_all_lines_are_visible_on_white():
    figure, _ = draw_layers({"lengths": (30,), "series": PAPER[:1]})
    assert min(contrast_to_white(line.get_color()) for line in figure.axes[0].lines) >= 2
    assert len(curves(figure.axes[0])) == layers.MAX_LINES


def test_the_names_of_53_layers_can_be_read():
    figure, _ = layers.draw(*make_deep(n_panels=5))
    figure.canvas.draw()
    first, *others = figure.axes[:5]
    labels = [label for label in first.get_yticklabels() if label.get_text()]
    assert [label.get_text() for label in labels[:2]] == ["layer0.0.conv", "layer0.1.conv"]
    assert len(labels) == 53
    boxes = [label.get_window_extent() for label in labels]
    assert all(upper.y0 >= lower.y1 - 0.5 for upper, lower in pairwise(boxes))
    assert all(axis.get_position().y0 == first.get_position().y0 for axis in others)  # side by side
    assert figure.get_figheight() < 9
    names = [axis.title.get_window_extent() for axis in (first, *others)]
    assert all(left.x1 <= right.x0 for left, right in pairwise(names))


def test_of_more_layers_every_second_is_named():
    figure, _ = layers.draw(*make_deep(n_layers=104))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[:2] == ["layer0.0.conv", "layer0.2.conv"]
    assert figure.get_figheight() < 9.5
