"""Test that collecting runs writes tidy tables, and names every file that is missing, damaged or wrong."""

import json
import re
import shutil

import pandas as pd
import pytest
from conftest import read_csv
from forge import edit, forge

from anytime_pruning import run_stream
from anytime_pruning.foundation.errors import DataError
from anytime_pruning.results.collect import COLUMNS, collect, summarize
from anytime_pruning.results.metrics_file import SCHEMA_VERSION
from anytime_pruning.results.store import read_metrics
from anytime_pruning.settings.naming import run_name
from anytime_pruning.settings.run import parse_settings


@pytest.fixture(scope="module")
def trained(data_dir, tmp_path_factory):
    """Return the names and the folder of two runs that differ in learning rate and seed."""
    folder, names = tmp_path_factory.mktemp("trained"), []
    tiny = {"dataset": "digits", "model": "resnet20", "n_megabatches": 2, "train_limit": 60, "epochs": 1}
    tiny |= {"lr_milestones": [], "batch_size": 16, "execution": {"device": "cpu", "data_dir": str(data_dir)}}
    for changes in ({"seed": 0, "lr": 0.05}, {"seed": 1, "lr": 0.01}):
        settings = parse_settings(tiny | changes)
        names.append(run_name(settings))
        run_stream(settings, folder / names[-1])
    return names, folder


@pytest.fixture
def stored(trained, tmp_path):
    """Return the names and the folder of a copy of the runs, which a test may damage."""
    names, folder = trained
    return names, shutil.copytree(folder, tmp_path / "runs")


def test_four_tidy_tables(stored, tmp_path):
    names, runs_dir = stored
    collect(names, runs_dir, tmp_path / "tables")
    tables = {path.stem: pd.read_csv(path) for path in (tmp_path / "tables").iterdir()}
    assert {name: len(table) for name, table in tables.items()} == {
        "runs": 2,
        "megabatches": 4,
        "epochs": 4,
        "layers": 2 * 2 * 19,
    }
    for table in tables.values():
        assert set(table["run"]) == set(names)
        assert set(table["variant"]) == {"lr=0.05", "lr=0.01"}
        assert not table.drop(columns="images").isna().any().any()
        assert set(table["images"]) == {"60 of 1,437"}
        assert set(table["protocol"]) == {"paper"}
    errors = tables["megabatches"].groupby("seed")["error_count"].sum().tolist()
    assert tables["runs"].sort_values("seed")["cumulative_error_count"].tolist() == errors


def test_the_cost_of_training_is_that_of_its_definition(stored, tmp_path):
    """Count by hand: three passes, each with the operations of a layer in proportion to its weights."""
    names, runs_dir = stored
    folder = runs_dir / names[0]
    first = read_csv(folder / "layers.csv")[0]["layer"]
    edit(folder / "layers.csv", lambda rows: [row.update(kept="0") for row in rows if row["layer"] == first] and None)
    edit(folder / "megabatches.csv", lambda rows: [row.pop("empty_layers") for row in rows] and None)
    forge(folder)
    collect(names, runs_dir, tmp_path / "tables")
    whole = read_metrics(folder).final.macs_count
    kept, empty = {}, {}
    for row in read_csv(folder / "layers.csv"):
        of_a_weight = int(row["macs"]) / int(row["total"])
        kept[row["t"]] = kept.get(row["t"], whole) - of_a_weight * (int(row["total"]) - int(row["kept"]))
        empty[row["t"]] = empty.get(row["t"], 0) + (row["kept"] == "0")
    expected = [
        {
            "train_macs": 3 * int(row["samples"]) * whole,
            "train_macs_kept": round(3 * int(row["samples"]) * kept[row["t"]]),
            "empty_layers": empty[row["t"]],
        }
        for row in read_csv(folder / "megabatches.csv")
    ]
    megabatches = pd.read_csv(tmp_path / "tables" / "megabatches.csv")
    found = megabatches[megabatches["run"] == names[0]]
    assert found[list(expected[0])].to_dict("records") == expected
    assert expected[-1]["empty_layers"] == 1
    assert len(expected) == 2
    assert expected[0]["train_macs_kept"] > 0
    (total,) = pd.read_csv(tmp_path / "tables" / "runs.csv").query("run == @names[0]").to_dict("records")
    for column in ("train_macs", "train_macs_kept"):
        assert total[column] == sum(row[column] for row in expected)
    assert total["empty_layers"] == 1


def test_a_missing_run_is_named(stored, tmp_path):
    names, runs_dir = stored
    (runs_dir / names[1] / "metrics.json").unlink()
    with pytest.raises(DataError, match=rf"{names[1]}/metrics.json: No such file .*has to be trained first"):
        collect(names, runs_dir, tmp_path / "tables")
    assert not (tmp_path / "tables").exists()


def test_runs_on_different_images_of_one_name_are_never_averaged(stored, tmp_path):
    names, runs_dir = stored
    forge(runs_dir / names[1], lambda content: content.update(data_sha256="0" * 64))
    with pytest.raises(DataError, match=r"digits: .* were trained on different images of this name"):
        collect(names, runs_dir, tmp_path / "tables")


def test_runs_that_are_there_can_be_collected_alone(stored, tmp_path):
    names, runs_dir = stored
    (runs_dir / names[1] / "metrics.json").unlink()
    collect(names, runs_dir, tmp_path / "tables", present_only=True)
    assert pd.read_csv(tmp_path / "tables" / "runs.csv")["run"].tolist() == names[:1]
    (runs_dir / names[0] / "metrics.json").unlink()
    with pytest.raises(DataError, match=f"{names[0]}/metrics.json: No such file"):
        collect(names, runs_dir, tmp_path / "tables", present_only=True)


@pytest.mark.parametrize("file", ["metrics.json", "config.yaml"])
def test_a_damaged_run_is_named(file, stored, tmp_path):
    names, runs_dir = stored
    (runs_dir / names[0] / file).write_text("<<<<<<< HEAD: [")
    with pytest.raises(DataError, match=rf"{names[0]}/{file}: not readable; fetch it again"):
        collect(names, runs_dir, tmp_path / "tables")


def test_another_schema_is_named(stored, tmp_path):
    names, runs_dir = stored
    forge(runs_dir / names[0], lambda content: content.update(schema_version=99))
    with pytest.raises(DataError, match=rf"metrics\.json: schema_version is 99, expected {SCHEMA_VERSION}"):
        collect(names, runs_dir, tmp_path / "tables")


def put(content, place, value):
    """Put a value at a dotted place of metrics.json, or remove the place if the value is None."""
    *parents, last = place.split(".")
    for key in parents:
        content = content[key]
    if value is None:
        del content[last]
    else:
        content[last] = value


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("final.macs_kept", None, "final.macs_kept is missing"),
        ("size.dense_bytes", None, "size.dense_bytes is missing"),
        ("cost", None, "cost is missing"),
        ("cost.planned_samples.train", None, "cost.planned_samples.train is missing"),
        ("cost.train_s", True, "cost.train_s is True, but should be a valid number"),
        ("final.density", "0.3", "final.density is '0.3', but should be a valid number"),
        ("precision", 16, "precision is 16, but should be 'float32' or 'bfloat16'"),
        ("code.commit", 7, "code.commit is 7, but should be a valid string"),
        ("hardware", "fast", "hardware is 'fast', but should be an object"),
    ],
)
def test_a_value_that_is_missing_or_no_number_is_named(place, value, message, stored, tmp_path):
    names, runs_dir = stored
    forge(runs_dir / names[0], lambda content: put(content, place, value))
    with pytest.raises(DataError, match=rf"{names[0]}/metrics.json: {message}; fetch it again"):
        collect(names, runs_dir, tmp_path / "tables")
    assert not (tmp_path / "tables").exists()


@pytest.mark.parametrize("value", ["NaN", "-Infinity"])
def test_a_value_that_json_does_not_have_is_refused(value, stored, tmp_path):
    names, runs_dir = stored
    path = runs_dir / names[0] / "metrics.json"
    path.write_text(re.sub(r'"clean_gap_pct": [-0-9.]+', f'"clean_gap_pct": {value}', path.read_text()))
    with pytest.raises(DataError, match=rf"{names[0]}/metrics.json: not readable; fetch it again"):
        collect(names, runs_dir, tmp_path / "tables")


@pytest.mark.parametrize("file", ["metrics.json", "config.yaml", *COLUMNS])
def test_a_changed_character_is_seen_by_its_checksum(file, stored, tmp_path):
    names, runs_dir = stored
    path = runs_dir / names[0] / file
    path.write_text(path.read_text().replace("1", "2", 1))
    with pytest.raises(DataError, match=rf"{names[0]}/{file}: damaged or changed .*; fetch it again"):
        collect(names, runs_dir, tmp_path / "tables")


@pytest.mark.parametrize("file", COLUMNS)
@pytest.mark.parametrize("damage", ["nan", "text", "column", "rows", "garbage", "file"])
def test_a_damaged_table_of_a_run_is_named_with_its_column(file, damage, stored, tmp_path):
    names, runs_dir = stored
    path, column = runs_dir / names[0] / file, COLUMNS[file][-1]
    table = pd.read_csv(path)
    if damage in ("nan", "text"):
        table = table.astype({column: object})
        table.loc[0, column] = float("nan") if damage == "nan" else "<<<<"
        message = rf"column {column} has a value that is not a number"
    elif damage == "column":
        table, message = table.drop(columns=column), rf"column {column} is missing"
    else:
        table, message = (
            table[:0],
            "no rows" if damage == "rows" else "No such file" if damage == "file" else "not readable",
        )
    table.to_csv(path, index=False)
    if damage == "garbage":
        path.write_bytes(b"")
    if damage == "file":
        path.unlink()
    else:
        forge(runs_dir / names[0])
    with pytest.raises(DataError, match=rf"{names[0]}/{file}: {message}"):
        collect(names, runs_dir, tmp_path / "tables")
    assert not (tmp_path / "tables").exists()


def test_a_layer_without_a_name_is_named_by_its_column(stored, tmp_path):
    names, runs_dir = stored
    path = runs_dir / names[0] / "layers.csv"
    table = pd.read_csv(path)
    table.loc[0, "layer"] = None
    table.to_csv(path, index=False)
    forge(runs_dir / names[0])
    with pytest.raises(DataError, match="column layer has a value that is not a name"):
        collect(names, runs_dir, tmp_path / "tables")


def test_columns_of_runs_are_where_metrics_has_them(stored, tmp_path):
    names, runs_dir = stored
    collect(names, runs_dir, tmp_path / "tables")
    runs = pd.read_csv(tmp_path / "tables" / "runs.csv")
    columns = summarize(read_metrics(runs_dir / names[0]))
    assert [column for column in runs if column in columns] == list(columns)
    size = json.loads((runs_dir / names[0] / "metrics.json").read_text())["size"]
    assert runs.loc[0, ["dense_bytes", "sparse_bytes"]].to_dict() == size


def test_a_list_without_runs_is_one_line(tmp_path):
    with pytest.raises(DataError, match="runs_list: the list names no run"):
        collect([], tmp_path, tmp_path / "tables")
    assert not (tmp_path / "tables").exists()
