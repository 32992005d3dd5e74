"""Test `make figures` as a reviewer calls it: in a clone of this repository, and in the unpacked archive of HEAD."""

import os
import random
import re
import shutil
import subprocess

import pytest
from checkout import call
from conftest import ROOT

pytestmark = [
    pytest.mark.long(300),
    pytest.mark.integration,
    pytest.mark.skipif(
        call(ROOT, "git", "rev-parse", "HEAD~20").returncode != 0, reason="no git clone with its history"
    ),
]


def git(folder, *arguments):
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


def make_figures(folder):
    """Call `make figures`, assert that it succeeds and trains nothing, and return the rules of the jobs that it ran."""
    done = call(folder, "make", "figures")
    assert done.returncode == 0, done.stdout + done.stderr
    return set(re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", done.stderr))


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """Return a clone in which all files got random times before the first call of `make figures`."""
    folder = tmp_path_factory.mktemp("reviewer") / "project"
    git(ROOT, "clone", "-q", str(ROOT), str(folder))
    for path in folder.rglob("*"):
        if path.is_file() and ".git" not in path.parts:
            # The times are in the past, because Snakemake refuses inputs from the future.
            when = 1_600_000_000 + random.Random(str(path.relative_to(folder))).random() * 1e8
            os.utime(path, (when, when))
    assert make_figures(folder) == {"collect_present_runs", "plot_figure", "write_table", "check_claims", "paper"}
    return folder


def test_every_figure_and_table_comes_out_as_it_is_in_git(clone):
    assert git(clone, "status", "--porcelain") == ""
    drawn = git(clone, "ls-files", "paper_figures").splitlines()
    assert len([name for name in drawn if name.endswith(".png")]) >= 4
    assert not (clone / "data").exists()


def test_the_environment_is_the_light_one(clone):
    done = call(clone, ".venv-figures/bin/python", "-c", "import torch")
    assert "No module named 'torch'" in done.stderr


def test_an_older_commit_and_back_and_no_memory_of_snakemake(clone):
    head = git(clone, "rev-parse", "HEAD").strip()
    git(clone, "checkout", "-q", "HEAD~20")
    git(clone, "checkout", "-q", head)
    subprocess.run(["rm", "-rf", ".snakemake"], cwd=clone, check=True)
    assert make_figures(clone) == set()
    assert git(clone, "status", "--porcelain") == ""


def test_a_table_that_was_lost_is_made_again_as_it_was(clone):
    for path in (clone / "paper_figures" / "cifar10").glob("results.*"):
        path.unlink()
    assert make_figures(clone) == {"write_table", "paper"}
    assert git(clone, "status", "--porcelain") == ""


def test_the_archive_draws_its_figures_without_git(clone, tmp_path):
    assert call(clone, "make", "archive").returncode == 0
    (path,) = (clone / "dist").glob("*.tar.gz")
    subprocess.run(["tar", "-xzf", path, "-C", tmp_path], check=True)
    folder = tmp_path / path.name.removesuffix(".tar.gz")
    (folder / ".venv-figures").symlink_to(clone / ".venv-figures")
    for stamp in ("installed", "archives"):
        (clone / ".venv-figures" / stamp).touch()
    done = call(folder, "sha256sum", "--check", "--quiet", "SHA256SUMS")
    assert done.returncode == 0, done.stdout
    for study in sorted((folder / "results").iterdir())[1:]:  # one study stands for all
        shutil.rmtree(study)
    assert "plot_figure" in make_figures(folder)
    done = call(folder, "sha256sum", "--check", "--quiet", "--ignore-missing", "SHA256SUMS")
    assert done.returncode == 0, done.stdout
