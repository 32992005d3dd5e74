"""The program that draws one planned figure of a study."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT
from made_up_tables import PAPER, make_runs

from anytime_pruning.figures import draw


def planned(draw, runs, kinds=("pdf", "png", "csv"), **options):
    return {"draw": draw, "table": "runs", "runs": list(runs), "options": options, "kinds": list(kinds)}


@pytest.fixture
def tables_dir(tmp_path):
    make_runs(series=PAPER[:2]).to_csv(tmp_path / "runs.csv", index=False)
    return tmp_path


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_a_figure_is_drawn_of_its_runs_only(tables_dir, tmp_path):
    runs = make_runs(series=PAPER[:2])
    assert draw.draw(planned("short", runs["run"][:2]), tables_dir, tmp_path / "out" / "short") == []
    assert names(tmp_path / "out") == {"short.pdf", "short.png", "short.csv"}
    assert len((tmp_path / "out" / "short.csv").read_text().splitlines()) == 2


def test_a_figure_without_all_its_runs_says_so_and_the_old_one_goes(tables_dir, tmp_path):
    runs, out = make_runs(series=PAPER[:2])["run"].tolist(), tmp_path / "out"
    draw.draw(planned("short", runs), tables_dir, out / "a.v2")
    missing = draw.draw(planned("short", [*runs, "z/gone"]), tables_dir, out / "a.v2")
    assert missing == ["z/gone"]
    assert names(out) == {"a.v2.missing.png"}
    draw.draw(planned("short", runs), tables_dir, out / "a.v2")
    assert names(out) == {"a.v2.pdf", "a.v2.png", "a.v2.csv"}


def test_a_table_without_all_its_runs_says_so(tables_dir, tmp_path):
    runs, out = make_runs(series=PAPER[:2])["run"].tolist(), tmp_path / "out"
    table = planned("results", [*runs, "z/gone"], kinds=("md", "html", "tex", "csv"))
    assert draw.draw(table, tables_dir, out / "results") == ["z/gone"]
    assert "1 of the 9 runs" in (out / "results.missing.md").read_text()
    assert "z/gone" in (out / "results.missing.md").read_text()
    assert draw.draw(table | {"runs": runs}, tables_dir, out / "results") == []
    assert names(out) == {"results.md", "results.html", "results.tex", "results.csv"}


def test_names_of_datasets_may_be_numbers(tmp_path):
    runs = make_runs(dataset="2024", series=PAPER[:1])
    runs.to_csv(tmp_path / "runs.csv", index=False)
    assert draw.draw(planned("short", runs["run"]), tmp_path, tmp_path / "short") == []


def call(tmp_path, plan, name="short"):
    (tmp_path / "plan.json").write_text(json.dumps({"short": plan}))
    script = ROOT / "workflow" / "scripts" / "draw_figure.py"
    arguments = [sys.executable, script, tmp_path / "plan.json", name, tmp_path, tmp_path / "out" / "short"]
    return subprocess.run(arguments, capture_output=True, text=True)


def test_missing_runs_are_one_line_that_names_them(tables_dir):
    done = call(tables_dir, planned("short", ["z/gone", "z/lost"]))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: short: not drawn, 2 of its 2 runs are missing and have to be trained first")
    assert line.endswith("z/gone, z/lost")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda runs: runs.drop(columns="test_acc_pct"), "test_acc_pct"),
        (lambda runs: runs.drop(columns="protocol"), "runs.csv: no column protocol"),
        (lambda runs: runs.assign(clean_gap_pct=float("nan")), "column clean_gap_pct has no value for run digits/"),
    ],
)
def test_a_damaged_table_is_one_line_that_names_the_column(change, message, tables_dir, monkeypatch, capsys):
    runs = make_runs(series=PAPER[:2])
    change(runs).to_csv(tables_dir / "runs.csv", index=False)
    (tables_dir / "plan.json").write_text(json.dumps({"short": planned("short", runs["run"])}))
    arguments = [str(tables_dir / "plan.json"), "short", str(tables_dir), str(tables_dir / "short")]
    monkeypatch.setattr(sys, "argv", ["draw_figure.py", *arguments])
    assert draw.main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: short: ")
    assert message in line
    assert not list(tables_dir.glob("*.png"))
