"""Test that a queue of DVC never throws trained runs away."""

import subprocess

import pytest

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.orchestration.plan import plan

STUDY = {"study": "mine", "grid": [{"dataset": "digits", "model": "resnet20"}]}


def enter(folder, monkeypatch, *ignored):
    """Enter a git checkout that ignores some paths."""
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    (folder / ".gitignore").write_text("".join(f"{pattern}\n" for pattern in ignored))
    monkeypatch.chdir(folder)


@pytest.mark.parametrize("ignored", [("/results/?*/",), ("/results/?*/", "!/results/other/"), ("/results/mine/runs/",)])
def test_a_study_that_git_ignores_is_refused_in_a_folder_that_dvc_removes(ignored, tmp_path, monkeypatch):
    enter(tmp_path / "project" / ".dvc" / "tmp" / "exps" / "tmpabc", monkeypatch, *ignored)
    with pytest.raises(SettingError, match=r"'mine' is not allowed in a queue of DVC: .* dvc exp run without --queue"):
        plan(STUDY)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("ignored", [(), ("/results/?*/", "!/results/mine/", "/results/*/checkpoints/")])
def test_a_study_that_git_keeps_comes_back(ignored, tmp_path, monkeypatch):
    enter(tmp_path / "project" / ".dvc" / "tmp" / "exps" / "tmpabc", monkeypatch, *ignored)
    assert len(plan(STUDY).missing) == 1


def test_every_other_folder_keeps_its_results(tmp_path, monkeypatch):
    enter(tmp_path / "exps" / "project", monkeypatch, "/results/?*/")
    assert len(plan(STUDY).missing) == 1
