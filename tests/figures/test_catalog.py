"""Test which figures a study has, and which runs they show."""

import json
import re
import subprocess
import sys

import pytest
from conftest import ROOT

from anytime_pruning.figures.catalog import Contents, Figure, TableKind
from anytime_pruning.figures.catalog.plan import plan_figures
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.foundation.registry import lookup, names, register
from anytime_pruning.orchestration.plan import plan as make_plan
from anytime_pruning.settings.study import plan_study

DEFAULTS = {"dataset": "digits", "model": "resnet20", "n_megabatches": 8, "seed": [0, 1]}


def plan(*grid):
    return plan_figures(plan_study({"study": "s", "defaults": DEFAULTS, "grid": list(grid)})[1])


def shown(figure):
    """Return the series that a figure shows: names of runs without dataset, model, T, seed and digest."""
    return sorted({"/".join(name.split("/")[3:5]) for name in figure.runs})


METHODS = {"method": ["app", "osp", "dense"]}


def test_a_study_of_one_stream():
    figures = plan(METHODS, {"pruner": "magnitude"})
    name = "digits-resnet20-T8"
    plots = {"short", "framework", f"accuracy-{name}", f"dynamics-{name}", f"layers-{name}", f"budget-{name}"}
    tables = {"results", "differences", "cost", "direction_changes", "best_within_budget", "equivalence"}
    assert set(figures) == plots | tables
    assert {figures[plot].kinds for plot in plots} == {("pdf", "png", "csv")}
    assert figures["results"].kinds == ("md", "html", "tex", "csv")
    assert len(figures["short"].runs) == 8
    assert shown(figures[f"layers-{name}"]) == ["app/magnitude", "app/snip"]  # the other runs are pruned at most once
    assert figures["framework"].options["densities"][0] == pytest.approx(0.8)
    assert len(figures["framework"].options["densities"]) == 8


def test_a_short_stream_has_no_figure_of_a_long_one_and_a_long_one_is_not_short():
    assert not [name for name in plan({"n_megabatches": 4}) if name.startswith(("long", "direction", "sweep"))]
    figures = plan(METHODS | {"n_megabatches": [8, 24, 25, 100]})
    long = [name for name in figures if name.startswith("long")]
    assert sorted(long) == ["long-digits-resnet20-T100", "long-digits-resnet20-T25"]
    assert {name.split("/")[2] for name in figures["short"].runs} == {"T8", "T24"}
    assert {name.split("/")[2] for name in figures["sweep-digits-resnet20"].runs} == {"T8", "T24", "T25", "T100"}
    # The table of direction changes has streams that are too short for a figure, too.
    assert {name.split("/")[2] for name in figures["direction_changes"].runs} == {"T8", "T24", "T25", "T100"}


def test_a_sweep_has_the_series_that_differ_in_nothing_but_the_length():
    figures = plan({"n_megabatches": [4, 8]}, {"method": "dense"}, {"n_megabatches": 25, "epochs": 1})
    assert shown(figures["sweep-digits-resnet20"]) == ["app/snip"]
    assert {name.split("/")[2] for name in figures["sweep-digits-resnet20"].runs} == {"T4", "T8"}
    assert "sweep-digits-resnet20" not in plan({}, {"n_megabatches": 25, "epochs": 1})


def test_short_has_the_runs_that_are_paired_with_a_dense_run_of_their_seed():
    osp = {"method": "osp", "seed": 2}
    figures = plan({"method": ["app", "dense"]}, osp)
    assert shown(figures["short"]) == ["app/snip", "dense/none"]
    assert figures["short"].options == {"margins": {"test_acc_pct": 1.0, "cumulative_error_count": 2.0}}
    # Without dense runs, or without a seed in common, there is no difference to show; results has all runs.
    for grid in ([{"method": ["app", "osp"]}], [{}, {"method": "dense", "seed": 2}], [{"method": "dense"}]):
        figures = plan(*grid)
        assert "short" not in figures
        assert figures["results"].runs
    # Only one of two networks has a dense run.
    figures = plan({"method": ["app", "dense"]}, {"model": "resnet18"})
    assert {name.split("/")[1] for name in figures["short"].runs} == {"resnet20"}


def test_released_runs_are_paired_with_a_dense_run_of_their_protocol_or_of_the_papers():
    released = {"protocol": "released"}
    figures = plan({"method": ["app", "dense"]}, released)
    assert len(figures["short"].runs) == 6
    # The released dense run has another seed than the released APP, which is therefore not compared.
    figures = plan({"method": ["app", "dense"]}, released, released | {"method": "dense", "seed": 2})
    assert len(figures["short"].runs) == 4


def test_variants_and_rare_series_are_kept_out_of_main_figures_but_not_out_of_sight():
    models = {"model": ["resnet18", "resnet20", "resnet50"]}
    rare = ({"tau": [2.0, 6.0]}, {"replay": "none"}, {"pruner": ["magnitude", "random"]})
    figures = plan(METHODS | models, *rare)
    main = ["app/snip", "dense/none", "osp/snip"]
    assert shown(figures["short"]) == main
    assert len(figures["short"].runs) == 3 * 3 * 2
    assert shown(figures["dynamics-digits-resnet20-T8"]) == main
    assert len(figures["dynamics-digits-resnet20-T8"].runs) == 6
    ablations = [name for name in figures if name.startswith("ablation")]
    assert ablations == ["ablation-digits-resnet20-T8"]
    # The figure shows three methods, two values of tau, a replay policy and two pruners, with two seeds each.
    assert len(figures[ablations[0]].runs) == 2 * (3 + 2 + 1 + 2)
    assert shown(figures["layers-digits-resnet20-T8"]) == ["app/magnitude", "app/random", "app/snip"]
    assert len(figures["layers-digits-resnet20-T8"].runs) == 6
    everything = {name for figure in figures.values() for name in figure.runs}
    assert everything == set(figures["results"].runs) == set(figures["cost"].runs)


def test_a_study_that_only_varies_a_setting_shows_all_of_it():
    figures = plan({"tau": [2.0, 4.5, 6.0]}, {"method": "dense"})
    assert len(figures["short"].runs) == 8
    assert len(figures["accuracy-digits-resnet20-T8"].runs) == 8
    assert not [name for name in figures if name.startswith("ablation")]


def test_a_dense_study_has_no_pruning_to_show():
    figures = plan({"method": "dense"})
    assert not {name.split("-")[0] for name in figures} & {"layers", "framework", "differences", "few_shot", "short"}
    assert "accuracy-digits-resnet20-T8" in figures


def test_few_shot_runs_have_a_table_and_are_not_among_the_short_streams():
    _, runs = plan_study({"study": "s", "defaults": DEFAULTS, "grid": [METHODS]})
    few = [run for run in runs if run.settings.seed == 0]
    dataset = few[0].settings.dataset.model_copy(update={"shots": 5, "name": "few"})
    runs += [
        type(run)(re.sub("^digits", "few", run.name), run.settings.model_copy(update={"dataset": dataset}))
        for run in few
    ]
    figures = plan_figures(runs)
    assert {name.split("/")[0] for name in figures["few_shot"].runs} == {"few"}
    assert {name.split("/")[0] for name in figures["short"].runs} == {"digits"}


def test_a_planned_figure_survives_its_way_through_a_file():
    for figure in plan(METHODS).values():
        assert Figure.from_json(json.loads(json.dumps(figure.as_json()))) == figure
    content = figure.as_json()
    for wrong in (content | {"colour": 1}, {"draw": "short"}):
        with pytest.raises(DataError, match="a planned figure is not readable"):
            Figure.from_json(wrong)


def test_the_plan_is_a_file_that_changes_only_with_the_plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = {"study": "s", "defaults": DEFAULTS, "grid": [METHODS]}
    make_plan(content).write()
    path = tmp_path / "results" / "s" / "figures.json"
    assert json.loads(path.read_text())["short"]["draw"] == "short"
    before = path.stat().st_mtime_ns
    make_plan(content).write()
    assert path.stat().st_mtime_ns == before


def test_every_figure_has_a_place_and_a_caption_in_the_report():
    figures = plan(METHODS | {"n_megabatches": [8, 25]}, {"tau": 2.0})
    kinds = {figure.draw for figure in figures.values()}
    assert kinds == set(names("figure")) - {"few_shot", "external_plot", "external_table"}
    for figure in figures.values():
        assert re.fullmatch(r"[1-7] [A-Z].*", figure.category)
        assert len(figure.caption) > 40
        assert figure.caption.endswith(".")
    assert figures["long-digits-resnet20-T25"].category == figures["sweep-digits-resnet20"].category
    assert figures["accuracy-digits-resnet20-T8"].category == "2 Results"
    assert figures["results"].category == "2 Results"
    assert lookup("figure", "few_shot").category == "2 Results"


def test_a_figure_is_added_by_one_registration(forget):
    kind = TableKind(
        tables=("runs",), category="9 Mine", caption="...", plan=lambda _: {"mine": Contents(["a"])}, tabulate=print
    )
    register("figure", "own")(kind)
    assert plan({})["mine"] == Figure("own", ("runs",), ["a"], {}, ("md", "html", "tex", "csv"))
    register("figure", "second")(kind)
    with pytest.raises(ValueError, match="figures 'own' and 'second' both plan a file 'mine'"):
        plan({})


def test_planning_imports_nothing_that_takes_long():
    code = (
        "import sys, anytime_pruning.figures.catalog.plan\n"
        "print({'torch', 'matplotlib', 'seaborn', 'pandas', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
