"""Test that line ends which git turned are told from damage, and are put right without losing anything."""

import shutil
import subprocess

import pytest
from conftest import ROOT
from forge import problems_in

from anytime_pruning.__main__ import main
from anytime_pruning.results.collect import collect, names_in
from anytime_pruning.results.line_ends import LineEndsError

TEXTS = ("metrics.json", "config.yaml", "megabatches.csv", "epochs.csv", "layers.csv", "runs.csv")
OPTION = "--restore-line-ends"


def turn(folder):
    """Turn the line ends of every text below a folder, as core.autocrlf does; return all files as they were."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for path, content in before.items():
        if path.name in TEXTS:
            path.write_bytes(content.replace(b"\n", b"\r\n"))
    return before


def git(folder, *arguments):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=True).stdout


def test_turned_line_ends_are_not_called_damage_and_nobody_is_told_to_remove_a_run(study):
    turn(study)
    problems = problems_in(study)
    assert len(problems) == 4  # three runs, which are checked no further, and their tables
    for problem in problems:
        assert "only its line ends are changed" in problem
        assert f"verify {OPTION} {study}" in problem
        assert "remove" not in problem


@pytest.mark.parametrize("name", TEXTS[:-1])
def test_each_file_of_a_run_is_recognised_alone(name, run, study):
    path = run / name
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    (problem,) = problems_in(run)
    assert problem.startswith(f"{path}: only its line ends are changed")
    with pytest.raises(LineEndsError, match=name):
        collect([str(run.relative_to(study / "runs"))], study / "runs", study / "new")


def test_the_advice_in_the_message_puts_every_byte_right(study, capsys):
    before = turn(study)
    names = names_in(study / "tables" / "runs.csv")
    arguments = problems_in(study)[0].split("python -m anytime_pruning ")[1].split()
    assert main([*arguments, "--no-evaluate"]) == 0
    assert f"the line endings of {3 * 5 + 4} files are restored" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in before} == before
    collect(names, study / "runs", study / "tables")
    assert main(["verify", OPTION, "--no-evaluate", str(study)]) == 0
    assert "0 files" in capsys.readouterr().out


def test_a_file_that_is_also_damaged_stays_as_it_is(study, run, capsys):
    turn(study)
    path = run / "epochs.csv"
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    before = path.read_bytes()
    assert main(["verify", OPTION, "--no-evaluate", str(study)]) == 1
    said = capsys.readouterr().err
    assert path.read_bytes() == before
    assert f"{path}: damaged or changed" in said
    assert "fetch it again, from git, DVC or a copy" in said


def test_git_turns_no_file_of_this_project(tmp_path):
    shutil.copy(ROOT / ".gitattributes", tmp_path)
    places = ["results/mine/runs/a/metrics.json", "results/demo/tables/runs.csv", "paper_figures/mine/results.tex"]
    places += ["config/mine.yaml", "results/mine/checkpoints.dvc", "dvc.lock", "Makefile", "envs/build-image.sh"]
    for place in places:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(b"1\n2\n")
    (tmp_path / "config" / "windows.yaml").write_bytes(b"1\r\n2\r\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "-qm", "all")
    for ends in ("true", "input"):
        clone = tmp_path / f"clone-{ends}"
        git(tmp_path, "-c", f"core.autocrlf={ends}", "clone", "-q", ".", str(clone))
        assert {place: (clone / place).read_bytes() for place in places} == dict.fromkeys(places, b"1\n2\n")
        assert (clone / "config" / "windows.yaml").read_bytes() == b"1\r\n2\r\n"
