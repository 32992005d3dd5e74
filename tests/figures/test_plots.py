"""Test figures that are drawn from made-up tables."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from made_up_tables import PAPER, make_epochs, make_layers, make_megabatches, make_runs
from matplotlib.text import Text

from anytime_pruning.figures import files, labels, style
from anytime_pruning.figures.gap_curve import measure_reversals
from anytime_pruning.figures.plots import ablation, dynamics, framework, gap, layers, short
from anytime_pruning.figures.series import SERIES, STREAM, Series
from anytime_pruning.figures.tables import results


def draw_dynamics(which):
    """Draw the dynamics of made-up epochs and the megabatches of the same runs."""
    return dynamics.draw(make_epochs(**which), make_megabatches(**which))


DRAWN = {
    "short": (short.draw, lambda **which: make_runs(lengths=(2,), **which)),
    "ablation": (ablation.draw, lambda **which: make_runs(lengths=(2,), **which)),
    "dynamics": (draw_dynamics, lambda **which: {"lengths": (3,), **which}),
    "long": (gap.draw, lambda **which: make_megabatches(lengths=(8,), **which)),
    "sweep": (gap.draw, make_megabatches),
    "layers": (layers.draw, make_layers),
}


@pytest.fixture(autouse=True)
def clean_style():
    style.set_style()
    yield
    plt.close("all")


def texts(figure):
    return [text for text in figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_is_the_same_to_the_byte_when_drawn_again(name, tmp_path):
    draw, make = DRAWN[name]
    for attempt in "ab":
        files.save_figure(*draw(make(series=PAPER[:1])), tmp_path / attempt / name)
    for kind in ("pdf", "png", "csv"):
        one, two = ((tmp_path / attempt / f"{name}.{kind}").read_bytes() for attempt in "ab")
        assert len(one) > 100
        assert one == two


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_says_what_it_shows_and_fits_its_page(name):
    draw, make = DRAWN[name]
    figure, _ = draw(make(seeds=range(3)))
    said = " ".join(text.get_text() for text in texts(figure))
    for part in ("Mean of 3 seeds", "paper and released", "T = ", "digits", "ResNet-20"):
        assert part in said
    assert "95 % interval of the mean" in said or name == "layers"
    # At the printed width, every text is inside the page and large enough to read.
    figure.canvas.draw()
    box = figure.get_tightbbox()
    assert box.x0 >= -0.01
    assert box.x1 <= style.WIDTH + 0.01
    assert figure.get_figwidth() == style.WIDTH
    assert min(text.get_fontsize() for text in texts(figure)) >= 7


def test_short_shows_the_mean_and_interval_of_each_series():
    figure, summary = short.draw(make_runs())
    row = summary[(summary["n_megabatches"] == 2) & (summary["method"] == "osp")].iloc[0]
    assert (row["test_acc_pct_mean"], row["test_acc_pct_low"], row["test_acc_pct_high"]) == (91, 90, 92)
    assert len(figure.axes) == 2 * 3
    drawn = [float(container.lines[0].get_xdata()[0]) for container in figure.axes[0].containers]
    assert drawn == [91.0, 90.0, 91.0, 91.0, 91.0]
    labels = [label.get_text() for label in figure.legends[0].get_texts()]
    assert labels == ["APP, SNIP", "APP, magnitude", "Anytime OSP, SNIP", "Dense baseline", "APP, SNIP (released)"]


def test_short_has_each_architecture_on_a_row_of_its_own_in_order():
    models = ("resnet101", "resnet18", "wide_resnet50_2", "vgg16_bn")
    runs = pd.concat([make_runs(lengths=(8,), model=model) for model in models])
    figure, _ = short.draw(runs)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["ResNet-18", "ResNet-101", "VGG-16-BN", "Wide-ResNet-50-2"]


def test_an_ablation_has_a_row_for_each_variant_and_a_line_for_the_reference():
    runs = pd.concat([make_runs(lengths=(8,)), make_runs(lengths=(8,), series=PAPER[:1], variant="tau=3.0")])
    figure, summary = ablation.draw(runs)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names[:2] == ["APP, SNIP", "APP, SNIP [tau=3.0]"]
    assert len(names) == len(summary) == 6
    lines = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_linewidth() == 0.8 and line.get_alpha()]
    assert lines == [91.0]


def test_dynamics_counts_epochs_through_the_stream_and_marks_borders():
    figure, summary = draw_dynamics({"lengths": (3,)})
    assert sorted(summary["stream_epoch"].unique()) == [1, 2, 3, 4, 5, 6]
    borders = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_color() == "#BBBBBB"]
    assert borders == [2.5, 4.5]
    assert [axis.get_title() for axis in figure.axes[:2]] == ["SNIP", "magnitude"]
    assert {"$M_{1}$", "$M_{3}$"} <= {text.get_text() for text in texts(figure)}


def test_dynamics_draws_the_gap_of_the_tables_at_the_last_epoch_of_each_megabatch():
    """At t = 3 the gap of seeds 0 and 1 is 3 and 4; the accuracies of the epochs would give 0."""
    figure, summary = draw_dynamics({"lengths": (3,), "series": PAPER[:1]})
    known = summary[summary["generalization_gap_pct_mean"].notna()]
    assert known[["t", "epoch"]].to_numpy().tolist() == [[1, 2], [2, 2], [3, 2]]
    last = known.iloc[-1]
    values = [last[f"generalization_gap_pct_{part}"] for part in ("mean", "low", "high")]
    assert values == [3.5, 3.0, 4.0]
    (line,) = [line for line in figure.axes[1].lines if line.get_color() != "#BBBBBB"]
    assert (line.get_xdata().tolist(), line.get_ydata().tolist()) == ([2, 4, 6], [1.5, 2.5, 3.5])
    runs = make_runs(lengths=(3,), series=PAPER[:1])
    final = make_megabatches(lengths=(3,), series=PAPER[:1]).query("t == 3")["generalization_gap_pct"]
    runs["generalization_gap_pct"] = final.to_numpy()
    assert results.tabulate(runs)[2]["generalization_gap_pct_mean"].tolist() == [last["generalization_gap_pct_mean"]]


def test_every_figure_with_a_gap_names_it_from_one_place():
    gap_label, clean_label = (f"{name}\n(percentage points)" for name in labels.GAP_NAMES.values())
    shown = {
        "short": (short.draw(make_runs())[0], [gap_label]),
        "ablation": (ablation.draw(make_runs(lengths=(2,)))[0], [gap_label]),
        "dynamics": (draw_dynamics({"lengths": (3,)})[0], [gap_label]),
        "long": (gap.draw(make_megabatches(lengths=(8,)))[0], [gap_label, clean_label]),
        "sweep": (gap.draw(make_megabatches())[0], [gap_label, clean_label]),
    }
    for name, (figure, expected) in shown.items():
        said = {axis.get_ylabel() for axis in figure.axes} | {axis.get_xlabel() for axis in figure.axes}
        assert {label for label in said if "gap" in label.lower() or "−" in label} == set(expected), name
        assert "Gap: running train − augmented validation accuracy" in figure.get_suptitle(), name
        assert ("clean gap: train − validation" in figure.get_suptitle()) == (clean_label in expected), name


def test_dynamics_of_two_epochs_and_of_all_pruners_can_be_drawn():
    pruners = [("paper", "app", pruner) for pruner in ("snip", "magnitude", "random", "grasp", "synflow")]
    epochs = make_epochs(lengths=(2,), series=pruners)
    figure, _ = dynamics.draw(epochs[epochs["epoch"] == 1], make_megabatches(lengths=(2,), series=pruners))
    shown = [axis for axis in figure.axes if axis.get_visible()]
    assert [axis.get_title() for axis in shown if axis.get_title()] == [
        "SNIP",
        "magnitude",
        "random",
        "GraSP",
        "SynFlow",
    ]
    assert len(shown) == 3 * 5


def test_dynamics_of_a_long_stream_says_that_it_shows_the_last_epochs():
    figure, summary = draw_dynamics({"lengths": (31,), "series": PAPER[:1]})
    (first, *_) = figure.axes[0].lines
    assert first.get_xdata().tolist() == list(range(2, 63, 2))
    assert len(summary) == 62  # the CSV holds all epochs
    assert "only the last epoch of each megabatch" in figure.get_suptitle()


def test_the_gap_of_one_stream_stands_with_its_excess_over_noise():
    megabatches = make_megabatches(lengths=(8,), seeds=range(3), series=PAPER[:1])
    figure, _ = gap.draw(megabatches)
    (label,) = [label.get_text() for label in figure.legends[0].get_texts()]
    clean = measure_reversals(megabatches, [*STREAM, *SERIES], "clean_gap_pct")
    excess = f"{clean['excess_reversal'].mean():+.1f}".replace("-", "−").replace("+0.0", "0.0").replace("−0.0", "0.0")
    # The gap only rises; the clean gap turns.
    assert label == f"APP, SNIP: 0.0 (p 1.000) / {excess} (p {clean['p_value'][0]:.3f})"
    assert "than noise around a monotone gap" in figure.get_suptitle()
    figure, _ = gap.draw(make_megabatches(lengths=(8, 25), series=PAPER[:1]))
    assert [label.get_text() for label in figure.legends[0].get_texts()] == ["APP, SNIP"]


def test_layers_are_in_the_order_of_the_network_and_in_percent():
    figure, summary = layers.draw(make_layers())
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


def test_the_framework_has_the_densities_of_the_schedule():
    figure, data = framework.draw([0.8, 0.7, 0.6, 0.5, 0.4], sample_frac=0.2)
    assert data["density_asked"].tolist() == [0.8, 0.7, 0.6, 0.5, 0.4]
    said = [text.get_text() for text in texts(figure)]
    assert [text for text in said if text.endswith("kept")] == ["80% kept", "70% kept", "60% kept", "40% kept"]
    assert "$t = 5$" in said
    figure, _ = framework.draw([0.8, 0.4], sample_frac=0.2)
    assert [text.get_text() for text in texts(figure) if text.get_text().endswith("kept")] == ["80% kept", "40% kept"]


def test_methods_and_protocols_differ_in_colour_and_marker_and_pruners_in_fill():
    known = list(style.COLORS)
    assert len({style.color_of(*one) for one in known}) == len(known)
    assert len({style.marker_of(*one) for one in known}) == len(known)
    styles = style.styles_of([Series("paper", "app", p) for p in ("snip", "magnitude", "random", "grasp", "synflow")])
    assert len({(style.fill, style.face) for style in styles.values()}) == 5
    assert style.color_of("own", "paper") not in style.COLORS.values()
    pale = style.styles_of([Series("paper", "app", "snip", "tau=3.0"), Series("paper", "app", "snip", "tau=4.5")])
    assert len({style.color for style in pale.values()}) == 2


def test_the_number_of_seeds_is_that_of_every_network():
    runs = make_runs()
    more = pd.concat([runs, runs[runs["seed"] == 0].assign(dataset="cifar10")])
    assert labels.seeds_note(runs) == "2 seeds"
    assert labels.seeds_note(more) == "1 to 2 seeds"
