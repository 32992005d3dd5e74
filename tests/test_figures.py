"""Figures and tables from collected tables whose numbers are made up here."""

import itertools
import subprocess
import sys

import figure_style
import pandas as pd
import plot_dynamics
import plot_gap
import plot_layers
import plot_short
import pytest
import tabulate_results
from conftest import ROOT

SERIES = [("app", "snip"), ("app", "magnitude"), ("osp", "snip"), ("dense", "none")]


def keys(dataset="digits", model="resnet20", lengths=(2, 3), seeds=(0, 1)):
    for length, (method, pruner), seed in itertools.product(lengths, SERIES, seeds):
        yield {
            "dataset": dataset,
            "model": model,
            "n_megabatches": length,
            "method": method,
            "pruner": pruner,
            "seed": seed,
            "variant": "",
        }


def make_runs():
    """Test accuracy 90 for seed 0 and 92 for seed 1, and so on."""
    rows = []
    for key in keys():
        measures = {
            "test_acc_pct": 90.0 + 2 * key["seed"],
            "cumulative_error_count": 1000 + 100 * key["seed"],
            "cumulative_error_rate": 0.1,
            "generalization_gap_pct": -1.5,
            "clean_gap_pct": 3.0,
            "density": 1.0 if key["method"] == "dense" else 0.36,
            "kept_count": 1000 if key["method"] == "dense" else 360,
            "prunable_count": 1000,
            "parameter_count": 1100,
        }
        rows.append(key | measures)
    return pd.DataFrame(rows)


def make_epochs():
    columns = ("train_loss", "train_acc_running_pct", "valid_loss", "valid_acc_pct")
    rows = [
        key | {"t": t, "epoch": epoch} | dict.fromkeys(columns, 1.0 + t + epoch + key["seed"])
        for key in keys(lengths=(3,))
        for t in (1, 2, 3)
        for epoch in (1, 2)
    ]
    return pd.DataFrame(rows)


def make_megabatches():
    rows = [
        key | {"t": t, "generalization_gap_pct": t + key["seed"], "clean_gap_pct": t - 2.0}
        for key in keys()
        for t in range(1, key["n_megabatches"] + 1)
    ]
    return pd.DataFrame(rows)


def make_layers():
    rows = [
        key | {"t": t, "layer": layer, "kept": total // t, "total": total}
        for key in keys(lengths=(3,))
        if key["method"] == "app"
        for t in (1, 2, 3)
        for layer, total in (("conv1", 60), ("layer1.conv", 120))
    ]
    return pd.DataFrame(rows)


DRAWN = {
    "short": (plot_short.draw, make_runs, ()),
    "dynamics": (plot_dynamics.draw, make_epochs, ("title",)),
    "gap": (plot_gap.draw, make_megabatches, ("title",)),
    "layers": (plot_layers.draw, make_layers, ("title",)),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_is_the_same_to_the_byte_when_drawn_again(name, tmp_path):
    draw, make, arguments = DRAWN[name]
    figure_style.set_style()
    for attempt in "ab":
        figure_style.save_figure(*draw(make(), *arguments), tmp_path / attempt / name)
    for kind in ("pdf", "png", "csv"):
        one, two = ((tmp_path / attempt / f"{name}.{kind}").read_bytes() for attempt in "ab")
        assert len(one) > 100
        assert one == two


def panel_texts(figure):
    return " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_says_how_many_seeds_and_what_it_shows(name):
    draw, make, arguments = DRAWN[name]
    text = panel_texts(draw(make(), *arguments)[0])
    assert "2 seeds" in text
    assert ("title" in text) if arguments else ("digits, T = 2" in text)


def test_short_shows_the_mean_and_range_of_each_method():
    figure, summary = plot_short.draw(make_runs())
    row = summary[(summary["n_megabatches"] == 2) & (summary["method"] == "osp")].iloc[0]
    assert (row["test_acc_pct_mean"], row["test_acc_pct_min"], row["test_acc_pct_max"]) == (91, 90, 92)
    assert len(figure.axes) == 2 * 3
    drawn = [float(container.lines[0].get_ydata()[0]) for container in figure.axes[0].containers]
    assert drawn == [91.0] * 4
    labels = {label.get_text() for label in figure.legends[0].get_texts()}
    assert labels == {"APP, SNIP", "APP, magnitude", "Anytime OSP, SNIP", "Dense baseline"}


def test_dynamics_counts_epochs_through_the_stream_and_marks_borders():
    figure, summary = plot_dynamics.draw(make_epochs(), "title")
    assert sorted(summary["stream_epoch"].unique()) == [1, 2, 3, 4, 5, 6]
    borders = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_color() == "#BBBBBB"]
    assert borders == [2.5, 4.5]
    assert summary["gap_pct_mean"].unique().tolist() == [0.0]


def test_layers_are_in_the_order_of_the_network_and_in_percent():
    _, summary = plot_layers.draw(make_layers(), "title")
    row = summary[(summary["t"] == 2) & (summary["pruner"] == "snip")].sort_values("depth")
    assert row["layer"].tolist() == ["conv1", "layer1.conv"]
    assert row["density_pct_mean"].tolist() == [50.0, 50.0]


def test_methods_differ_in_colour_and_marker_and_pruners_in_fill():
    methods = list(figure_style.METHOD_COLORS)
    assert len({figure_style.color_of(method) for method in methods}) == len(methods)
    assert len({figure_style.marker_of(method) for method in methods}) == len(methods)
    assert len({figure_style.face_of("app", pruner) for pruner in ("snip", "magnitude", "random")}) == 3
    assert figure_style.color_of("own") not in figure_style.METHOD_COLORS.values()


def test_the_results_table_by_hand():
    summary = tabulate_results.summarize(make_runs())
    shown = tabulate_results.render(summary)
    assert shown["Method"].tolist() == ["APP", "APP", "Anytime OSP", "Dense baseline"] * 2
    first = shown.iloc[0]
    # 90 and 92: mean 91, sample standard deviation sqrt(2); 360 of 1,000 prunable weights and 100 others remain.
    assert first["Test accuracy (%)"] == "91.00 ± 1.41"
    assert first["CER (count)"] == "1,050 ± 71"
    assert first["CER (%)"] == "10.0 ± 0.0"
    assert first["Gap (points)"] == "−1.50 ± 0.00"
    assert first["Parameters kept"] == "460 (41.8 %)"
    assert shown.iloc[3]["Parameters kept"] == "1,100 (100.0 %)"
    assert first["Seeds"] == "2"


def test_one_seed_has_no_deviation():
    runs = make_runs()
    shown = tabulate_results.render(tabulate_results.summarize(runs[runs["seed"] == 0]))
    assert shown.iloc[0]["Test accuracy (%)"] == "90.00"


def test_markdown_and_latex_are_tables_of_the_same_cells():
    shown = tabulate_results.render(tabulate_results.summarize(make_runs()))
    markdown = tabulate_results.to_markdown(shown).splitlines()
    assert len(markdown) == 2 + len(shown)
    assert {line.count("|") for line in markdown} == {len(shown.columns) + 1}
    latex = tabulate_results.to_latex(shown)
    assert latex.count(r" \\") == 1 + len(shown)
    assert r"91.00 $\pm$ 1.41" in latex
    assert r"Test accuracy (\%)" in latex


def test_names_of_datasets_may_be_numbers_or_hold_dots(tmp_path):
    runs = make_runs().assign(dataset="2024")
    runs.to_csv(tmp_path / "runs.csv", index=False)
    table = figure_style.read_table(tmp_path / "runs.csv", dataset="2024")
    assert len(table) == len(runs)
    figure_style.save_figure(*plot_short.draw(table), tmp_path / "gap-a.v2-b")
    assert {path.name for path in tmp_path.glob("gap*")} == {f"gap-a.v2-b.{kind}" for kind in ("pdf", "png", "csv")}


def test_the_number_of_seeds_is_that_of_every_network():
    runs = make_runs()
    more = pd.concat([runs, runs[runs["seed"] == 0].assign(dataset="cifar10")])
    assert figure_style.seeds_note(runs) == "2 seeds"
    assert figure_style.seeds_note(more) == "1 to 2 seeds"


def test_what_is_not_in_the_table_is_an_error_that_names_it(tmp_path):
    make_runs().to_csv(tmp_path / "megabatches.csv", index=False)
    script = ROOT / "workflow" / "scripts" / "plot_gap.py"
    options = ["--dataset", "digits", "--model", "resnet99"]
    done = subprocess.run(
        [sys.executable, script, tmp_path / "megabatches.csv", tmp_path / "out", *options],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "has no rows with {'dataset': 'digits', 'model': 'resnet99'}" in done.stderr
    assert not list(tmp_path.glob("out*"))
