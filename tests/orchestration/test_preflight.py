"""Test what is said before a study starts: missing data, the runs that it concerns, and disk space."""

from collections import namedtuple
from pathlib import Path

import pytest
from conftest import ROOT, toy_files, write_archive

from anytime_pruning.datasets import load_dataset
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.foundation.safe_text import read_yaml
from anytime_pruning.orchestration.forecast import preflight
from anytime_pruning.orchestration.forecast.preflight import describe_data, describe_disk
from anytime_pruning.orchestration.plan import plan
from anytime_pruning.orchestration.study_paths import StudyPaths
from anytime_pruning.settings.run import parse_settings
from anytime_pruning.settings.study import plan_study

Usage = namedtuple("Usage", "total used free")


def runs(*datasets, data_dir, **settings):
    execution = {"data_dir": str(data_dir)}
    return [parse_settings({"dataset": d, "model": "resnet20", "execution": execution} | settings) for d in datasets]


def folder(name, path):
    return {"name": name, "source": "image_folder", "path": str(path), "content_sha256": "0" * 64}


def test_nothing_is_said_about_data_that_is_there(tmp_path):
    mine = folder("mine", write_archive(toy_files(), tmp_path / "mine.zip"))
    assert list(describe_data(runs("digits", mine, data_dir=tmp_path))) == []


def test_downloads_and_missing_data_are_said_with_the_runs_they_concern(tmp_path):
    planned = runs("digits", "cifar10", folder("mine", "no/where"), folder("mine", "no/where"), data_dir=tmp_path)
    assert list(describe_data(planned)) == [
        "Data: cifar10 will be downloaded.",
        "Missing data: mine is not at no/where. 2 runs fail for this reason; the other 2 are trained.",
    ]


def test_it_is_said_when_no_run_is_left(tmp_path):
    study = read_yaml(ROOT / "config" / "paper-imagenet.yaml")
    study["execution"]["data_dir"] = str(tmp_path)
    planned = [run.settings for run in plan_study(study)[1]]
    (line,) = describe_data(planned)
    assert line.startswith(
        "Missing data: restricted-imagenet-540 is not at data/imagenet and restricted-imagenet is not"
    )
    assert line.endswith("45 runs fail for this reason; no other run is left.")


@pytest.mark.parametrize("place", ["file", "file/below", "link"])
def test_a_file_or_a_lost_link_in_the_place_of_the_folder_of_data_is_named(place, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for ask in (describe_data, lambda planned: [load_dataset(run.dataset, run.execution.data_dir) for run in planned]):
        with pytest.raises(
            SettingError, match=r"^execution.data_dir: '.*' is not allowed: .* is a .*; allowed: a folder$"
        ):
            list(ask(runs("digits", data_dir=tmp_path / place)))


@pytest.mark.parametrize(
    ("free", "end"), [(1e12, "1,000.0 GB are free."), (2e9, "2.0 GB are free, which is TOO LITTLE.")]
)
def test_disk_space_follows_from_the_weights(free, end, tmp_path, monkeypatch):
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda folder: Usage(0, 0, int(free)))
    planned = runs(*["cifar10"] * 40, data_dir=tmp_path, model="resnet50")
    (line,) = describe_disk(planned, [Path()])
    # ResNet-50 for CIFAR-10 has 23.5 million parameters of four bytes.
    assert line == (
        "Disk: about 3.8 GB of results, mostly weights, and up to 0.6 GB of checkpoints for each run at work; " + end
    )


def test_the_disk_is_that_of_the_results_wherever_their_folders_lead(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = {"study": "s", "grid": [{"dataset": "digits", "model": "resnet20"}]}
    asked = []
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda folder: asked.append(folder) or Usage(0, 0, 1000))
    paths = StudyPaths("s")
    assert paths.present_folders() == [Path(), Path()]
    Path("results").mkdir()
    assert paths.present_folders() == [Path("results"), Path("results")]
    Path("results/s").mkdir()
    Path("results/s/runs").symlink_to(tmp_path)
    Path("results/s/checkpoints").symlink_to("nowhere")
    assert paths.present_folders() == [Path("results/s/runs"), Path("results/s")]
    assert any("TOO LITTLE" in line for line in plan(study).describe())
    assert asked == [Path("results/s/runs"), Path("results/s")]
    # An object store has its own disks.
    assert not any("Disk" in line for line in plan(study).describe(is_stored=True))


def test_the_fullest_disk_counts(tmp_path, monkeypatch):
    free = {"a": 1000, "b": int(1e12)}
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda folder: Usage(0, 0, free[folder]))
    (line,) = describe_disk(runs("digits", data_dir=tmp_path), ["b", "a"])
    assert line.endswith("0.0 GB are free, which is TOO LITTLE.")


def test_small_studies_are_not_worth_a_line_unless_the_disk_is_full(tmp_path, monkeypatch):
    planned = runs("digits", data_dir=tmp_path)
    assert list(describe_disk(planned, [Path()])) == []
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda folder: Usage(0, 0, 1000))
    (line,) = describe_disk(planned, [Path()])
    assert line.endswith("0.0 GB are free, which is TOO LITTLE.")
