"""Test what all figures have in common, drawn from made-up tables."""

import pandas as pd
import pytest
from drawing import clean_style, contrast_to_white, draw_dynamics, draw_layers, draw_short, texts  # noqa: F401 (a fixture)
from made_up_tables import PAPER, make_megabatches, make_runs

from anytime_pruning.figures import files, labels, style
from anytime_pruning.figures.plots import ablation, accuracy, budget, gap, sweep
from anytime_pruning.figures.series import Series

DRAWN = {
    "accuracy": (accuracy.draw, lambda **which: make_megabatches(lengths=(3,), **which)),
    "accuracy-long": (accuracy.draw, lambda **which: make_megabatches(lengths=(25,), **which)),
    "short": (draw_short, lambda **which: make_runs(lengths=(2,), **which)),
    "ablation": (ablation.draw, lambda **which: make_runs(lengths=(2,), **which)),
    "dynamics": (draw_dynamics, lambda **which: {"lengths": (3,), **which}),
    "long": (gap.draw, lambda **which: make_megabatches(lengths=(25,), **which)),
    "sweep": (sweep.draw, make_megabatches),
    "layers": (draw_layers, lambda **which: {"lengths": (3,), **which}),
    "budget": (budget.draw, lambda **which: make_megabatches(lengths=(3,), **which)),
}
SEVEN = (*PAPER, ("released", "app", "snip"), ("released", "osp", "snip"), ("released", "dense", "none"))


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_is_the_same_to_the_byte_when_drawn_again(name, tmp_path):
    draw, make = DRAWN[name]
    for attempt in "ab":
        files.save_figure(*draw(make(series=(PAPER[0], PAPER[3]))), tmp_path / attempt / name)
    for kind in ("pdf", "png", "csv"):
        one, two = ((tmp_path / attempt / f"{name}.{kind}").read_bytes() for attempt in "ab")
        assert len(one) > 100
        assert one == two


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_says_what_it_shows_and_fits_its_page(name, seeds):
    draw, make = DRAWN[name]
    figure, _ = draw(make(seeds=range(seeds), series=SEVEN))
    said = " ".join(text.get_text() for text in texts(figure))
    for part in ("paper and released", "T = ", "digits", "ResNet-20"):
        assert part in said
    if name != "layers":  # which has means alone
        assert ("95 % interval of the mean" in said) == (seeds == 3)
        assert ("One seed, which has no interval" in said) == (seeds == 1)
    assert ("Mean of 3 seeds" if seeds == 3 else "One seed") in said
    # At the printed width, every text is inside the page and large enough to read.
    figure.canvas.draw()
    box = figure.get_tightbbox()
    assert box.x0 >= -0.01
    assert box.x1 <= style.WIDTH + 0.01
    assert box.y0 >= -0.01
    assert box.y1 <= figure.get_figheight() + 0.01
    assert figure.get_figwidth() == style.WIDTH
    assert min(text.get_fontsize() for text in texts(figure)) >= 7


def test_every_figure_with_a_gap_names_it_from_one_place():
    gap_label, clean_label = (f"{name}\n(percentage points)" for name in labels.GAP_NAMES.values())
    shown = {
        "short": (draw_short(make_runs())[0], ["Gap (points)\nsmaller ← 0 → larger"]),
        "ablation": (ablation.draw(make_runs(lengths=(2,)))[0], [gap_label]),
        "dynamics": (draw_dynamics({"lengths": (3,)})[0], [gap_label]),
        "long": (gap.draw(make_megabatches(lengths=(25,)))[0], [gap_label, clean_label]),
        "sweep": (sweep.draw(make_megabatches())[0], [gap_label, clean_label]),
    }
    for name, (figure, expected) in shown.items():
        said = {axis.get_ylabel() for axis in figure.axes} | {axis.get_xlabel() for axis in figure.axes}
        assert {label for label in said if "gap" in label.lower()} == set(expected), name
        assert "Gap: running train − augmented validation accuracy" in figure.get_suptitle(), name
        assert ("Clean gap: train − validation" in figure.get_suptitle()) == (clean_label in expected), name


def test_an_ablation_has_a_row_for_each_variant_and_a_line_for_the_reference():
    runs = pd.concat([make_runs(lengths=(8,)), make_runs(lengths=(8,), series=PAPER[:1], variant="tau=3.0")])
    figure, summary = ablation.draw(runs)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names[:2] == ["APP, SNIP", "APP, SNIP [tau=3.0]"]
    assert len(names) == len(summary) == 6
    assert [axis.yaxis.get_tick_params()["labelleft"] for axis in figure.axes] == [True, False, False]
    lines = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_linewidth() == 0.8 and line.get_alpha()]
    assert lines == [91.0]


def test_a_long_title_is_wrapped_at_the_width_of_the_page():
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(style.WIDTH, 1))
    style.set_title(figure, "word " * 60, "short")
    assert [len(line) <= style.TITLE_LENGTH for line in figure.get_suptitle().split("\n")] == [True] * 4


def test_methods_and_protocols_differ_in_colour_and_marker_and_pruners_in_fill():
    known = list(style.COLORS)
    assert len({style.color_of(*one) for one in known}) == len(known)
    assert len({style.marker_of(*one) for one in known}) == len(known)
    styles = style.styles_of([Series("paper", "app", p) for p in ("snip", "magnitude", "random", "grasp", "synflow")])
    assert len({(style.fill, style.face) for style in styles.values()}) == 5
    assert style.color_of("own", "paper") not in style.COLORS.values()
    pale = style.styles_of([Series("paper", "app", "snip", "tau=3.0"), Series("paper", "app", "snip", "tau=4.5")])
    assert len({style.color for style in pale.values()}) == 2


def test_the_colours_of_a_quantity_get_darker_and_are_visible_on_white():
    """A contrast of 1 is white on white; the yellow of viridis has 1.2."""
    contrasts = [contrast_to_white(color) for color in style.sequential_colors(12)]
    assert contrasts == sorted(contrasts)
    assert contrasts[0] >= 2


def test_the_number_of_seeds_is_that_of_every_network():
    runs = make_runs()
    more = pd.concat([runs, runs[runs["seed"] == 0].assign(dataset="cifar10")])
    assert labels.mean_note(runs) == "Mean of 2 seeds"
    assert labels.mean_note(more) == "Mean of 1 to 2 seeds"
    assert labels.mean_note(runs[runs["seed"] == 0]) == "One seed"
