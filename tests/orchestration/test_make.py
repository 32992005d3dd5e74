"""Test the Makefile with a Python that notes how it was called: what surrounds a checkout must not matter."""

import json
import os
import shutil
import stat
import subprocess
import sys

import pytest
from conftest import ROOT

# The environment has no other programs, like one whose scripts name the folder from which a checkout was moved.
PYTHON = f"""#!{sys.executable}
import json, os, sys
from pathlib import Path

here = Path.cwd()
with (here / "calls").open("a", encoding="utf-8") as file:
    print(json.dumps([sys.argv[1:], dict(os.environ)]), file=file)
if "compile" in sys.argv:
    print("numpy==2.4.1\\nnvidia-cublas==13.1\\ncuda-toolkit==13.0\\ntriton==3.7\\ntorch==2.11.0")
if sys.argv[1:] == ["-m", "anytime_pruning", "studies"]:
    print((here / "studies").read_text(encoding="utf-8"), end="")
    sys.exit((here / "broken").exists() and 2)
sys.exit((here / "study.fails").exists() and "config/b.yml" in sys.argv)
"""
STRANGERS = {
    "PYTHONPATH": "/module/system",
    "PYTHONHOME": "/module/system",
    "PYTHONSAFEPATH": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PIP_USER": "1",
    "PIP_TARGET": "/elsewhere",
    "PIP_PREFIX": "/elsewhere",
}


@pytest.fixture
def checkout(tmp_path):
    """Return a folder with the Makefile, its lists, and environments that are installed."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "envs", tmp_path / "envs", ignore=shutil.ignore_patterns("*.sif"))
    for name, stamps in ((".venv", ("runs", "versions")), (".venv-figures", ("installed", "reports"))):
        python = tmp_path / name / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(PYTHON)
        python.chmod(python.stat().st_mode | stat.S_IXUSR)
        for stamp in stamps:
            (tmp_path / name / stamp).touch()
    (tmp_path / "studies").write_text("mine config/my study.yaml\nother config/b.yml\n")
    return tmp_path


def make(checkout, target, *variables, **environment):
    command = ["make", target, *variables]
    # The tests themselves may be called by make, whose variables would make this make speak of folders.
    outside = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    return subprocess.run(command, cwd=checkout, env=outside | environment, capture_output=True, encoding="utf-8")


def calls(checkout):
    return [json.loads(line) for line in (checkout / "calls").read_text().splitlines()]


def test_figures_draws_each_study_that_the_package_names_whatever_its_files_are_called(checkout):
    done = make(checkout, "figures")
    assert done.returncode == 0, done.stderr
    drawn = [arguments for arguments, _ in calls(checkout) if "snakemake" in arguments]
    assert [arguments[:5] for arguments in drawn] == [
        ["-m", "snakemake", "paper", "--configfile", "config/my study.yaml"],
        ["-m", "snakemake", "paper", "--configfile", "config/b.yml"],
    ]
    assert done.stdout.splitlines() == ["Drawing paper_figures/mine/", "Drawing paper_figures/other/"]


def test_figures_says_that_no_study_has_results(checkout):
    (checkout / "studies").write_text("")
    done = make(checkout, "figures")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "No study has results yet; make demo makes some.\n"


@pytest.mark.parametrize("obstacle", ["broken", "study.fails"])
def test_figures_fails_if_a_study_cannot_be_read_or_drawn_and_draws_the_others(checkout, obstacle):
    (checkout / obstacle).touch()
    assert make(checkout, "figures").returncode == 2
    assert len(calls(checkout)) == 3


def test_report_lets_the_workflow_draw_and_write_the_page_of_each_study_and_train_nothing(checkout):
    done = make(checkout, "report")
    assert done.returncode == 0, done.stderr
    drawn = [arguments for arguments, _ in calls(checkout) if "snakemake" in arguments]
    assert [arguments[2:5] for arguments in drawn] == [
        ["report", "--configfile", "config/my study.yaml"],
        ["report", "--configfile", "config/b.yml"],
    ]
    for arguments in drawn:
        allowed = arguments[arguments.index("--allowed-rules") :]
        assert {"write_report", "walkthrough"} <= set(allowed)
        assert "train" not in allowed
    assert done.stdout.splitlines() == ["Writing results/mine/report.html", "Writing results/other/report.html"]


@pytest.mark.parametrize("target", ["demo", "dvc", "figures"])
def test_what_another_program_put_into_the_environment_stays_outside(checkout, target):
    done = make(checkout, target, **STRANGERS)
    assert done.returncode == 0, done.stderr
    for _, environment in calls(checkout):
        assert {name: environment[name] for name in STRANGERS if name in environment} == {"PIP_USER": "0"}
        assert environment["PYTHONUTF8"] == "1"
        assert environment["PATH"].startswith(f"{checkout}/.venv")


@pytest.fixture
def tried(checkout):
    """Return a function that names the folder of an environment for other versions, where its Python is ready."""

    def make_folder(resolution):
        folder = checkout / ".venv-versions" / f"python-{resolution}"
        shutil.copytree(checkout / ".venv", folder)
        return folder

    return make_folder


@pytest.mark.parametrize("resolution", ["lowest-direct", "highest"])
def test_versions_are_resolved_for_this_python_installed_without_a_choice_of_gpu_packages_and_tested(
    checkout, tried, resolution
):
    folder = tried(resolution)
    python = f"PYTHON={folder}/bin/python"
    done = make(checkout, "versions", python, f"RESOLUTION={resolution}", "TESTS=tests/one.py", "WORKERS=", **STRANGERS)
    assert done.returncode == 0, done.stderr
    _, pip, install, resolve, packages, test = [arguments for arguments, _ in calls(checkout) if arguments[0] == "-m"]
    uv = next(line for line in (ROOT / "envs" / "dev.txt").read_text().splitlines() if line.startswith("uv=="))
    assert pip == ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "pip>=26"]
    assert install == [*pip[:-1], uv]
    assert resolve[:4] == ["-m", "uv", "pip", "compile"]
    assert resolve[resolve.index("--resolution") + 1] == resolution
    assert (folder / "packages.txt").read_text() == "numpy==2.4.1\ntorch==2.11.0\n"
    assert packages[-2:] == ["--requirement", f".venv-versions/python-{resolution}/packages.txt"]
    assert test == ["-m", "pytest", "tests/one.py"]


def test_locked_versions_are_those_of_the_list(checkout, tried):
    folder = tried("locked")
    done = make(checkout, "versions", f"PYTHON={folder}/bin/python", "RESOLUTION=locked", "WORKERS=")
    assert done.returncode == 0, done.stderr
    assert (folder / "packages.txt").read_text() == (ROOT / "envs" / "dev.txt").read_text()
    tests = calls(checkout)[-1][0][2:]
    assert [path for path in tests if not (ROOT / path).exists()] == []


def test_an_unknown_resolution_is_refused(checkout):
    done = make(checkout, "versions", "RESOLUTION=newest")
    assert done.returncode == 2
    line = "error: RESOLUTION: newest is not allowed; allowed: lowest-direct, highest, locked"
    assert done.stderr.splitlines()[0] == line
    assert not (checkout / "calls").exists()
