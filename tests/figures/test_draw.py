"""Test the command that draws one planned figure of a study."""

import json
import subprocess
import sys

import pytest
from made_up_tables import PAPER, make_runs

from anytime_pruning.cli.main import main
from anytime_pruning.figures.catalog import Figure
from anytime_pruning.figures.draw import MissingRunsError, draw


def planned(kind, runs, files=("pdf", "png", "csv")):
    return Figure(kind, ("runs",), list(runs), {}, files)


@pytest.fixture
def tables_dir(tmp_path):
    make_runs(series=PAPER[:2]).to_csv(tmp_path / "runs.csv", index=False)
    return tmp_path


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_a_figure_is_drawn_of_its_runs_only(tables_dir, tmp_path):
    runs = make_runs(series=PAPER[:2])
    draw(planned("ablation", runs["run"][:2]), tables_dir, tmp_path / "out" / "ablation")
    assert names(tmp_path / "out") == {"ablation.pdf", "ablation.png", "ablation.csv"}
    assert len((tmp_path / "out" / "ablation.csv").read_text().splitlines()) == 2


def test_a_picture_is_written_whole_or_not_at_all(tables_dir, tmp_path, monkeypatch):
    def save_half(figure, file, **options):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    runs = make_runs(series=PAPER[:2])
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", save_half)
    with pytest.raises(OSError, match=r"No space left"):
        draw(planned("ablation", runs["run"][:2]), tables_dir, tmp_path / "out" / "ablation")
    assert names(tmp_path / "out") == set()


def test_a_figure_without_all_its_runs_says_so_and_the_old_one_goes(tables_dir, tmp_path):
    runs, out = make_runs(series=PAPER[:2])["run"].tolist(), tmp_path / "out"
    draw(planned("ablation", runs), tables_dir, out / "a.v2")
    with pytest.raises(MissingRunsError, match="z/gone"):
        draw(planned("ablation", [*runs, "z/gone"]), tables_dir, out / "a.v2")
    assert names(out) == {"a.v2.missing.png"}
    draw(planned("ablation", runs), tables_dir, out / "a.v2")
    assert names(out) == {"a.v2.pdf", "a.v2.png", "a.v2.csv"}


def test_a_table_without_all_its_runs_says_so(tables_dir, tmp_path):
    runs, out = make_runs(series=PAPER[:2])["run"].tolist(), tmp_path / "out"
    files = ("md", "html", "tex", "csv")
    with pytest.raises(MissingRunsError, match="1 of its 9 runs"):
        draw(planned("results", [*runs, "z/gone"], files), tables_dir, out / "results")
    assert "1 of the 9 runs" in (out / "results.missing.md").read_text()
    assert "z/gone" in (out / "results.missing.md").read_text()
    draw(planned("results", runs, files), tables_dir, out / "results")
    assert names(out) == {"results.md", "results.html", "results.tex", "results.csv"}


def test_names_of_datasets_may_be_numbers(tmp_path):
    runs = make_runs(dataset="2024", series=PAPER[:1])
    runs.to_csv(tmp_path / "runs.csv", index=False)
    draw(planned("ablation", runs["run"]), tmp_path, tmp_path / "ablation")
    assert (tmp_path / "ablation.png").exists()


def call(tables_dir, plan, name="ablation"):
    path = tables_dir / "plan.json"
    path.write_text(json.dumps({"ablation": plan.as_json() if isinstance(plan, Figure) else plan}))
    return main(["draw", str(path), name, str(tables_dir), str(tables_dir / "out" / "ablation")])


def test_missing_runs_are_one_line_that_names_them_all(tables_dir, capsys):
    runs = [f"z/a rather long name of a run that is not there/{number:04}" for number in range(100)]
    assert call(tables_dir, planned("ablation", runs)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "error: ablation: not drawn, 100 of its 100 runs are missing and have to be trained first: z/a"
    )
    assert line.endswith(", ".join(runs))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda runs: runs.drop(columns="test_acc_pct"), "test_acc_pct"),
        (lambda runs: runs.drop(columns="protocol"), "runs.csv: no column protocol"),
        (lambda runs: runs.assign(clean_gap_pct=float("nan")), "column clean_gap_pct has no value for run digits/"),
    ],
)
def test_a_damaged_table_is_one_line_that_names_the_column(change, message, tables_dir, capsys):
    runs = make_runs(series=PAPER[:2])
    change(runs).to_csv(tables_dir / "runs.csv", index=False)
    assert call(tables_dir, planned("ablation", runs["run"])) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ablation: ")
    assert message in line
    assert not list(tables_dir.rglob("*.png"))


@pytest.mark.parametrize(
    ("plan", "name", "message"),
    [
        (planned("ablation", []), "long", "error: long: {tables_dir}/plan.json has no entry 'long'; planned: ablation"),
        (
            planned("own", []),
            "ablation",
            "error: ablation: figure: 'own' is not known; allowed: ablation, accuracy, best_within_budget, budget, ",
        ),
        ({"draw": "ablation"}, "ablation", "error: ablation: a planned figure is not readable: "),
    ],
)
def test_a_figure_that_is_not_planned_or_not_known_is_one_line(plan, name, message, tables_dir, capsys):
    assert call(tables_dir, plan, name) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(message.format(tables_dir=tables_dir))


def test_a_plan_that_cannot_be_read_is_one_line(tables_dir, capsys):
    path = tables_dir / "plan.json"
    arguments = ["draw", str(path), "ablation", str(tables_dir), str(tables_dir / "ablation")]
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"error: ablation: {path}: No such file or directory\n"
    path.write_text("{")
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"error: ablation: {path}: not JSON\n"


def test_drawing_does_not_load_the_settings():
    code = (
        "import sys, anytime_pruning.figures.draw\n"
        "print({'torch', 'pydantic', 'anytime_pruning.settings', 'anytime_pruning.datasets'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_seaborn_does_not_load_the_statistics_of_scipy_and_who_wants_them_still_can():
    code = (
        "import sys, {first}anytime_pruning.figures.catalog, anytime_pruning.figures.style\n"
        "from anytime_pruning.figures.plots import accuracy, dynamics, layers, short, sweep\n"
        "print('scipy.stats' in sys.modules)\n"
        "import scipy.stats, scipy.cluster.hierarchy\n"
        "from scipy import stats\n"
        "print(stats.norm.cdf(0))"
    )
    for first, loaded in (("", "False"), ("scipy.stats, ", "True")):
        done = subprocess.run([sys.executable, "-c", code.format(first=first)], capture_output=True, text=True)
        assert done.stdout.split() == [loaded, "0.5"], done.stderr
