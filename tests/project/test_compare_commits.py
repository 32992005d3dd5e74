"""Test the comparison of two commits: with commits of this package, and of a package that only pretends to train."""

import shutil
import subprocess

import compare_commits
import pytest
from conftest import ROOT

from tests.whole.golden import SETTINGS

# It trains for five steps, and takes whatever arguments it is given.
PRETENDER = """
import sys
from pathlib import Path
import torch

def main():
    out = Path(sys.argv[sys.argv.index("--out") + 1])
    out.mkdir(parents=True)
    weight, rate = torch.ones((), requires_grad=True), 0.1
    for step in range(5):
        loss = (weight - 3) ** 2
        loss.backward()
        weight.data -= rate * weight.grad
        weight.grad = None
    (out / "epochs.csv").write_text(f"t,valid_loss,seconds\\n1,0.5,{id(out)}\\n")
"""


def git(repository, *words):
    identity = ("-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *words], cwd=repository, check=True)


def commit(repository, change, message):
    """Change the files, commit them and name the commit by its message."""
    change(repository / "anytime_pruning")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", message)
    git(repository, "tag", message)


def editing(name, old, new):
    def edit(package):
        text = (package / name).read_text()
        assert old in text
        (package / name).write_text(text.replace(old, new))

    return edit


@pytest.fixture
def pretender(tmp_path):
    def write(package):
        package.mkdir()
        (package / "training.py").write_text(PRETENDER)
        (package / "__main__.py").write_text("from anytime_pruning.training import main\nmain()\n")

    git(tmp_path, "init", "-q")
    commit(tmp_path, write, "first")
    return tmp_path


def test_commits_of_this_package_are_compared_step_by_step(tmp_path, capsys):
    """Forget the first milestone: the three steps of the first epoch stay, and so does the loss of the next."""
    git(tmp_path, "init", "-q")
    commit(tmp_path, lambda package: shutil.copytree(ROOT / "anytime_pruning", package), "before")
    commit(tmp_path, editing("training/learning_rate.py", "epoch > milestone", "epoch > milestone + 1"), "after")
    assert compare_commits.main(["before", "after"], tmp_path) == 1
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in said[:2]] == ["before", "after"]
    assert said[2].startswith("The losses differ from step 5 of 30 on: ")


def test_equal_commits_and_the_files_of_the_checkout(pretender, capsys):
    commit(pretender, lambda package: (package / "note.txt").write_text("new"), "second")
    assert compare_commits.main(["first", "second"], pretender) == 0
    assert "No difference: the losses of all 5 steps and all tables are equal.\n" in capsys.readouterr().out
    editing("training.py", "0.1", "0.125")(pretender / "anytime_pruning")
    assert compare_commits.main(["second"], pretender) == 1
    assert "\nB is the checkout\nThe losses differ from step 2 of 5 on: " in capsys.readouterr().out
    assert sorted(path.name for path in pretender.iterdir() if path.name != ".git") == ["anytime_pruning"]


FROM_STEP_2 = (
    "The losses differ from step 2 of {} on: 1.5 in A and 1.75 in B (+0.25). They differ at {} steps, by up to {}."
)
COUNTS = "A has 3 steps and B has 2."
TABLE = "No loss differs, but epochs.csv does, first in row {}."


@pytest.mark.parametrize(
    ("losses", "rows", "found"),
    [
        ([2, 1.5, 1.0], ["0.5"], None),
        ([2, 1.75, 0.5], ["0.5"], FROM_STEP_2.format(3, 2, 0.5)),
        ([2, 1.75], ["0.5"], f"{FROM_STEP_2.format(2, 1, 0.25)} {COUNTS}"),
        ([2, 1.5], ["0.5"], f"All of the first 2 steps are equal, but {COUNTS}"),
        ([2, 1.5, 1.0], ["0.25"], TABLE.format("1, column loss: 0.5 in A and 0.25 in B")),
        ([2, 1.5, 1.0], ["0.5", "1"], TABLE.format("2: A has 1 rows and B has 2")),
    ],
)
def test_what_differs_is_said(losses, rows, found):
    def made(losses, rows, **extra):
        table = [{"loss": loss, **extra} for loss in rows]
        return compare_commits.Trained("name", list(map(float, losses)), {"epochs.csv": table})

    assert compare_commits.compare(made([2, 1.5, 1.0], ["0.5"], new_column="1"), made(losses, rows)) == found


def test_not_a_number_equals_itself():
    trained = compare_commits.Trained("name", [float("nan")], {})
    assert compare_commits.compare(trained, trained) is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "def main():",
            "def main():\n    raise SystemExit('error: no')",
            ": the golden run cannot be trained: error: no",
        ),
        ("loss.backward()", "weight.grad = 2 * (weight.detach() - 3)", ": no training step was seen"),
    ],
)
def test_a_commit_that_cannot_be_trained_is_one_line(old, new, message, pretender):
    commit(pretender, editing("training.py", old, new), "second")
    with pytest.raises(compare_commits.UntrainableError) as caught:
        compare_commits.train("second", pretender)
    assert f" second{message}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_run_is_the_golden_one():
    assert {key: value for key, value in SETTINGS.items() if key != "execution"} == compare_commits.OPTIONS


def test_an_unknown_commit_is_one_line(pretender, capsys):
    assert compare_commits.main(["nowhere", "gone"], pretender) == 2
    assert capsys.readouterr().err == "error: fatal: bad revision 'nowhere'\n"
