import json

import pandas as pd
import pytest

from anytime_pruning import run_stream
from anytime_pruning.collect import collect, name_variants
from anytime_pruning.config import parse_settings
from anytime_pruning.errors import DataError
from anytime_pruning.layout import run_name


@pytest.fixture
def stored(tiny, tmp_path):
    """Two runs that differ in lr and seed; their names and their folder."""
    names = []
    for changes in ({"seed": 0}, {"seed": 1, "lr": 0.01}):
        settings = parse_settings(tiny(epochs=1, n_megabatches=2, **changes))
        names.append(run_name(settings))
        run_stream(settings, tmp_path / "runs" / names[-1])
    return names, tmp_path / "runs"


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
        assert not table.isna().any().any()
    errors = tables["megabatches"].groupby("seed")["error_count"].sum().tolist()
    assert tables["runs"].sort_values("seed")["cumulative_error_count"].tolist() == errors


def test_only_settings_that_differ_are_spelled_out():
    settings = {
        "a": {"seed": 0, "pruner": "snip", "lr": 0.1, "tau": 4.5},
        "b": {"seed": 1, "pruner": "snip", "lr": 0.1, "tau": 3.0},
        "dense": {"seed": 0, "pruner": "none", "lr": 0.1, "tau": 4.5},
    }
    assert name_variants(settings) == {"a": "tau=4.5", "b": "tau=3.0", "dense": ""}
    assert name_variants({"a": settings["a"]}) == {"a": ""}
    assert name_variants(settings | {"dense": settings["dense"] | {"lr": 0.2}})["dense"] == "lr=0.2"


def test_a_missing_run_is_named(stored, tmp_path):
    names, runs_dir = stored
    (runs_dir / names[1] / "metrics.json").unlink()
    with pytest.raises(DataError, match=rf"{names[1]}/metrics.json: No such file .*has to be trained first"):
        collect(names, runs_dir, tmp_path / "tables")
    assert not (tmp_path / "tables").exists()


def test_runs_on_different_images_of_one_name_are_never_averaged(stored, tmp_path):
    names, runs_dir = stored
    path = runs_dir / names[1] / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"data_sha256": "0" * 64}))
    with pytest.raises(DataError, match=r"digits: .* were trained on different images of this name"):
        collect(names, runs_dir, tmp_path / "tables")


@pytest.mark.parametrize("file", ["metrics.json", "config.yaml"])
def test_a_damaged_run_is_named(file, stored, tmp_path):
    names, runs_dir = stored
    (runs_dir / names[0] / file).write_text("<<<<<<< HEAD: [")
    with pytest.raises(DataError, match=rf"{names[0]}/{file}: not readable; remove the run's folder"):
        collect(names, runs_dir, tmp_path / "tables")


def test_another_schema_is_named(stored, tmp_path):
    names, runs_dir = stored
    path = runs_dir / names[0] / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))
    with pytest.raises(DataError, match=r"metrics\.json: schema_version is 99, expected 2"):
        collect(names, runs_dir, tmp_path / "tables")
