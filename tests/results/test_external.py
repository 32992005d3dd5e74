"""Test that results of other people's programs are taken in, checked, and shown beside those of the study."""

import csv
import json

import pandas as pd
import pytest
import yaml

from anytime_pruning import run_stream
from anytime_pruning.__main__ import main
from anytime_pruning.figures.external.rows import with_external
from anytime_pruning.figures.plots import external as plot
from anytime_pruning.figures.tables import external as table
from anytime_pruning.foundation.errors import DataError, SettingError
from anytime_pruning.orchestration.plan import make_plan
from anytime_pruning.results.external import external_results, read_external

NAMES = {"name": "ALMA, dense", "dataset": "digits", "model": "resnet20", "n_megabatches": 2}
ROWS = [
    {"seed": seed, "t": t, "error_count": 100 * seed + 200 - 100 * t, "test_count": 360}
    for seed in (0, 1)
    for t in (1, 2)
]
STUDY = {
    "study": "mine",
    "defaults": {"dataset": "digits", "model": "resnet20", "n_megabatches": 2, "train_limit": 60, "epochs": 1},
    "grid": [{"method": ["app", "dense"], "seed": [0, 1]}],
}


def write(path, rows, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{**row, **more} for row in rows]
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a working folder with a study's configuration and a file of another program's errors."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(STUDY))
    write(tmp_path / "theirs.csv", ROWS[::-1])
    return tmp_path


def test_an_imported_file_becomes_a_figure_and_a_table(folder, data_dir, capsys):
    assert main(["import", "theirs.csv", "mine.yaml", "--name", "ALMA, dense"]) == 0
    path = "results/mine/external/alma-dense-digits-resnet20-T2.csv"
    assert capsys.readouterr().out == f"{path}: 2 seeds\n"
    (result,) = external_results(folder / "results" / "mine")
    assert result.errors == {0: [100, 0], 1: [200, 100]}
    plan = make_plan(STUDY)
    assert {"external", "external-digits-resnet20-T2"} <= plan.figures.keys()
    plan.write()
    for name, settings in plan.runs.items():
        settings = settings.model_copy(
            update={"execution": settings.execution.model_copy(update={"data_dir": data_dir, "device": "cpu"})}
        )
        run_stream(settings, folder / "results" / "mine" / "runs" / name)
    assert main(["collect", plan.paths.runs_list, plan.paths.runs, plan.paths.tables]) == 0
    for name in ("external", "external-digits-resnet20-T2"):
        assert main(["draw", plan.paths.figure_plan, name, plan.paths.tables, f"drawn/{name}"]) == 0
    text = (folder / "drawn" / "external.md").read_text()
    (row,) = [line for line in text.splitlines() if "ALMA" in line]
    assert "ALMA, dense (external)" in row
    assert [cell.strip() for cell in row.split("|")[5:9]] == [
        "86.11 (72.22 to 100.00)",
        "200 (100 to 300)",
        "27.8 (13.9 to 41.7)",
        "2",
    ]
    assert len([line for line in text.splitlines() if line.startswith("| digits (60")]) == 3
    assert "this project has neither run it nor checked the errors" in text
    numbers = pd.read_csv(folder / "drawn" / "external-digits-resnet20-T2.csv")
    assert numbers[numbers["protocol"] == "external"]["test_acc_pct_mean"].tolist() == pytest.approx(
        [58.33, 86.11], abs=0.01
    )
    assert main(["stale", "mine.yaml"]) == 0
    assert "external" not in capsys.readouterr().out


def test_without_imported_files_nothing_is_planned(folder):
    assert not [name for name in make_plan(STUDY).figures if name.startswith("external")]


def test_a_result_on_another_stream_is_refused(folder, capsys):
    assert main(["import", "theirs.csv", "mine.yaml", "--name", "x", "--n-megabatches", "3"]) == 2
    assert "seed 1 has 2 megabatches; wanted: t from 1 to 3, each once" in capsys.readouterr().err
    assert main(["import", "theirs.csv", "mine.yaml", "--name", "x", "--model", "resnet18"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "error: external: theirs.csv: digits, resnet18, T = 2 of 'x' is no stream of this study; allowed: digits, "
        "resnet20, T = 2"
    )
    assert not (folder / "results").exists()
    write(folder / "results" / "mine" / "external" / "x.csv", ROWS, **NAMES | {"model": "resnet18"})
    with pytest.raises(
        SettingError, match=r"^external: results/mine/external/x.csv: .*; remove the file or move it out"
    ):
        make_plan(STUDY)


def test_an_option_that_the_file_contradicts_is_refused(folder, capsys):
    write(folder / "named.csv", ROWS, name="ALMA")
    assert main(["import", "named.csv", "mine.yaml", "--name", "other"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "error: name: 'other' is not allowed: named.csv has 'ALMA' in its column name"
    assert main(["import", "named.csv", "mine.yaml", "--name", "ALMA"]) == 0


def test_a_file_is_replaced_by_its_own_program_alone(folder, capsys):
    assert main(["import", "theirs.csv", "mine.yaml", "--name", "A.B"]) == 0
    assert main(["import", "theirs.csv", "mine.yaml", "--name", "A.B"]) == 0
    capsys.readouterr()
    assert main(["import", "theirs.csv", "mine.yaml", "--name", "a b"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: name: 'a b' is not allowed: 'A.B' has a file of the same name")
    (result,) = external_results(folder / "results" / "mine")
    assert result.name == "A.B"


def test_a_study_with_several_streams_wants_the_stream_named(folder, capsys):
    (folder / "two.yaml").write_text(yaml.safe_dump(STUDY | {"grid": [{"n_megabatches": [2, 3]}]}))
    assert main(["import", "theirs.csv", "two.yaml", "--name", "x"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "error: theirs.csv: column n_megabatches is missing; allowed: a column or the option of this name"
    assert main(["import", "theirs.csv", "two.yaml", "--name", "x", "--n-megabatches", "2"]) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.pop(), "seed 1 has 1 megabatches; wanted: t from 1 to 2, each once"),
        (lambda rows: rows.append(rows[0]), "line 6: seed 0 has t = 1 twice"),
        (lambda rows: rows[1].update(error_count=361), "line 3: error_count is 361, more than test_count 360"),
        (lambda rows: rows[1].update(test_count=300), "test_count is 300, 360; wanted: one number above 0"),
        (lambda rows: rows[2].update(error_count=-1), "line 4: error_count is '-1', no whole number"),
        (lambda rows: rows[2].update(error_count="1e3"), "line 4: error_count is '1e3', no whole number"),
        (lambda rows: rows[2].update(error_count="٣"), "no whole number"),
        (lambda rows: rows[0].update(t=0), "wanted: t from 1 to 2"),
        (lambda rows: [row.pop("seed") for row in rows], "column seed is missing"),
        (lambda rows: [row.update(accuracy=1) for row in rows], "column 'accuracy' is not known; allowed: seed, t"),
        (lambda rows: rows[1].update(name="other"), "line 3: name is 'other'; a file holds one program"),
        (lambda rows: [row.update(name="=cmd()") for row in rows], "name: '=cmd()' is not allowed"),
        (lambda rows: [row.update(name="x" * 41) for row in rows], "is not allowed; allowed: up to 40 letters"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(change, message, tmp_path):
    rows = [NAMES | row for row in ROWS]
    change(rows)
    with pytest.raises((DataError, SettingError)) as error:
        read_external(write(tmp_path / "x.csv", rows))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_table_is_refused(tmp_path):
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "empty.csv").write_text("seed,t,error_count,test_count\n")
    for name, message in (("binary", "not a CSV file"), ("empty", "no rows"), ("gone", "No such file")):
        with pytest.raises(DataError, match=message):
            read_external(tmp_path / f"{name}.csv", NAMES)


def test_two_files_of_one_program_are_refused(tmp_path):
    for name in "ab":
        write(tmp_path / "external" / f"{name}.csv", ROWS, **NAMES)
    with pytest.raises(DataError, match=r"b\.csv: another file has results of 'ALMA, dense' on the same stream"):
        external_results(tmp_path)


@pytest.fixture
def megabatches():
    """Return rows of the collected table, for one series whose dataset is named with a share of its images."""
    keys = {"dataset": "digits (60 of 1,437 images)", "model": "resnet20", "n_megabatches": 2, "protocol": "paper"}
    keys |= {"method": "app", "pruner": "snip", "variant": ""}
    return pd.DataFrame(
        [{**keys, "seed": s, "t": t, "error_count": 90 // t, "test_count": 360} for s in (0, 1) for t in (1, 2)]
    )


def test_external_rows_stand_on_the_same_stream(megabatches):
    both = with_external(megabatches, [NAMES | row for row in ROWS])
    assert both["dataset"].unique().tolist() == ["digits (60 of 1,437 images)"]
    theirs = both[both["protocol"] == "external"].sort_values(["seed", "t"])
    assert theirs["cer_count"].tolist() == [100, 100, 200, 300]
    ours = both[both["protocol"] == "paper"].sort_values(["seed", "t"])
    assert ours["cer_count"].tolist() == [90, 135, 90, 135]
    assert ours["test_acc_pct"].tolist() == pytest.approx([75, 87.5, 75, 87.5])


def test_errors_on_another_number_of_test_images_are_refused(megabatches):
    with pytest.raises(DataError, match="has 360 test images here, and 350 there"):
        with_external(megabatches, [NAMES | row | {"test_count": 350} for row in ROWS])


def test_the_table_and_the_figure_name_what_is_external(megabatches):
    rows = [NAMES | row for row in ROWS]
    shown, note, numbers = table.tabulate(megabatches, json.loads(json.dumps(rows)))
    assert shown["System"].tolist() == ["APP, SNIP", "ALMA, dense (external)"]
    assert shown["CER (%)"].tolist()[0].startswith("18.8")
    assert note.startswith("External: ")
    assert len(numbers) == 2
    figure, drawn = plot.draw(megabatches, rows)
    assert len(drawn) == 4
    assert [sum(line.get_linestyle() != "None" for line in axis.get_lines()) for axis in figure.axes] == [2, 2]
    assert any("ALMA, dense (external)" in text.get_text() for legend in figure.legends for text in legend.get_texts())
