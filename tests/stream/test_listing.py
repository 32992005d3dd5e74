"""Test that the list of a stream names the images that a run trains and validates on."""

import csv
import hashlib
import subprocess

import pytest
import yaml

from anytime_pruning.__main__ import main
from anytime_pruning.datasets import load_dataset
from anytime_pruning.runs.stream_listing import distinct_streams
from anytime_pruning.runs.stream_plan import plan_stream
from anytime_pruning.settings.run import parse_settings


@pytest.fixture
def config(data_dir, tmp_path):
    """Write a study with two methods, two lengths and two seeds, and return its path."""
    content = {
        "study": "s",
        "execution": {"data_dir": str(data_dir)},
        "defaults": {"dataset": "digits", "model": "resnet20", "train_limit": 100, "seed": [0, 1]},
        "grid": [{"method": ["app", "dense"], "n_megabatches": [3, 4]}],
    }
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "s.yaml"


def test_each_stream_is_a_table_of_the_images_of_a_run(config, data_dir, tmp_path, capsys):
    assert main(["stream", "export", str(config), "--out", str(tmp_path / "streams")]) == 0
    paths = sorted((tmp_path / "streams").glob("*.csv"))
    assert [path.name.rpartition("-")[0] for path in paths] == [
        f"digits-T{length}-seed{seed}" for length in (3, 4) for seed in (0, 1)
    ]
    assert capsys.readouterr().out.count("100 images") == 4
    settings = parse_settings(
        {"dataset": "digits", "model": "resnet20", "train_limit": 100, "n_megabatches": 4, "seed": 1}
    )
    arrays = load_dataset(settings.dataset, data_dir)
    with open(paths[3], encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for planned in plan_stream(settings, len(arrays.train_labels)):
        arrived = [row for row in rows if int(row["t"]) <= planned.t]
        for part, indices in (("train", planned.train), ("valid", planned.valid)):
            assert {int(row["index"]) for row in arrived if row["part"] == part} == set(indices.tolist())
    for row in rows:
        index = int(row["index"])
        assert int(row["label"]) == arrays.train_labels[index]
        assert row["pixels_sha256"] == hashlib.sha256(arrays.train_images[index].tobytes()).hexdigest()
    checked = subprocess.run(["sha256sum", "-c", f"{paths[3].name}.sha256"], cwd=tmp_path / "streams", check=False)
    assert checked.returncode == 0


def test_what_does_not_change_the_stream_makes_no_table(tiny):
    same = [tiny(), tiny(method="dense"), tiny(pruner="magnitude"), tiny(start="cold"), tiny(replay="none")]
    assert len(distinct_streams(map(parse_settings, same))) == 1
    other = [tiny(), tiny(seed=1), tiny(n_megabatches=4), tiny(train_limit=80), tiny(valid_frac=0.2)]
    assert len(distinct_streams(map(parse_settings, other))) == 5


def test_mistakes_are_one_line_and_nothing_is_written(tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["stream", "export", str(tmp_path / "nothing.yaml"), "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "nothing.yaml" in line
    assert not out.exists()
