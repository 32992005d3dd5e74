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
# Its version stands in a file beside it. Asked for its version (-I), it gives no heed to variables, like Python.
PYTHON = f"""#!{sys.executable} -I
import json, os, shutil, sys, time
from pathlib import Path

here = Path.cwd()
if sys.argv[1] == "-I":
    print((Path(__file__).parent / "version").read_text(encoding="utf-8"))
    sys.exit()
with (here / "calls").open("a", encoding="utf-8") as file:
    print(json.dumps([sys.argv[1:], dict(os.environ)]), file=file)
if "--requirement" in sys.argv:
    with (here / "ends").open("a", encoding="utf-8") as file:
        for word in ("begin", "end"):
            print(word, file=file, flush=True)
            time.sleep(0.2)
if sys.argv[1:3] == ["-m", "venv"] and Path(__file__).parent != Path(sys.argv[-1]).resolve() / "bin":
    if "--clear" in sys.argv:
        shutil.rmtree(sys.argv[-1], ignore_errors=True)
    shutil.copytree(Path(__file__).parent, Path(sys.argv[-1]) / "bin", dirs_exist_ok=True)
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


def write_python(folder, version="3.12"):
    """Write a Python into a folder."""
    folder.mkdir(parents=True)
    (folder / "version").write_text(version)
    python = folder / "python"
    python.write_text(PYTHON)
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return python


@pytest.fixture
def checkout(tmp_path):
    """Return a folder with the Makefile, its lists, and environments that are installed."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "envs", tmp_path / "envs", ignore=shutil.ignore_patterns("*.sif"))
    for name, stamps in ((".venv", ("runs", "versions")), (".venv-figures", ("installed", "reports"))):
        write_python(tmp_path / name / "bin")
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
def others(tmp_path):
    """Return three Pythons outside of the checkout, by their versions."""
    return {version: write_python(tmp_path / "others" / version, version) for version in ("3.11", "3.12", "3.13")}


def installed(checkout):
    """Return the environments that a call made anew, and the lists that it installed."""
    found = [arguments for arguments, _ in calls(checkout)]
    made = [tuple(arguments[2:]) for arguments in found if arguments[:2] == ["-m", "venv"]]
    return made, [arguments[-1] for arguments in found if "--requirement" in arguments]


ENVIRONMENTS = {"demo": (".venv", ["envs/requirements.txt"]), "figures": (".venv-figures", ["envs/figures.txt"])}


@pytest.mark.parametrize("target", ENVIRONMENTS)
def test_an_environment_whose_python_is_gone_is_made_anew_and_no_other_python_takes_its_place(checkout, others, target):
    folder, lists = ENVIRONMENTS[target]
    (checkout / folder / "bin" / "python").unlink()
    (checkout / folder / "bin" / "python").symlink_to("/nowhere/python3")
    (checkout / folder / "left").touch()
    path = f"{others['3.13'].parent}:{os.environ['PATH']}"
    (others["3.13"].parent / "python3").symlink_to("python")
    done = make(checkout, target, PATH=path)
    assert done.returncode == 0, done.stderr
    assert installed(checkout) == ([("--clear", folder)], lists)
    assert not (checkout / folder / "left").exists()
    # Nothing is left to do.
    (checkout / "calls").unlink()
    assert make(checkout, target, PATH=path).returncode == 0
    assert installed(checkout) == ([], [])


@pytest.mark.parametrize("how", ["variable", "environment"])
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_a_given_python_of_another_version_makes_the_environment_anew(checkout, others, version, how):
    given = f"PYTHON={others[version]}"
    done = make(checkout, "demo", given) if how == "variable" else make(checkout, "demo", PYTHON=str(others[version]))
    assert done.returncode == 0, done.stderr
    expected = ([], []) if version == "3.12" else ([("--clear", ".venv")], ["envs/requirements.txt"])
    assert installed(checkout) == expected
    assert (checkout / ".venv" / "bin" / "version").read_text() == version


def test_a_new_list_is_installed_into_the_environment_that_is_there_whatever_python3_is(checkout, others):
    (others["3.13"].parent / "python3").symlink_to("python")
    os.utime(checkout / ".venv" / "runs", (0, 0))
    done = make(checkout, "demo", PATH=f"{others['3.13'].parent}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    assert installed(checkout) == ([], ["envs/requirements.txt"])


def test_a_given_python_that_does_not_run_is_refused_and_the_environment_stays(checkout):
    done = make(checkout, "demo", "PYTHON=nopython")
    assert done.returncode == 2
    assert "error: PYTHON: nopython is not allowed: Python 3.11 or newer is needed (make PYTHON=...)" in done.stderr
    assert (checkout / ".venv" / "runs").exists()


def test_a_python_that_came_in_place_of_an_older_one_is_not_that_of_the_environment(tmp_path):
    """Test the condition itself with a real Python, because the Python of the other tests says what it is told."""
    for name in ("Makefile", "envs"):
        (tmp_path / name).symlink_to(ROOT / name)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True)
    (tmp_path / ".venv" / "runs").touch()
    assert make(tmp_path, ".venv/runs", "--dry-run").stdout == "make: '.venv/runs' is up to date.\n"
    packages = next((tmp_path / ".venv" / "lib").glob("python3.*/site-packages"))
    packages.parent.rename(packages.parent.with_name("python3.1"))
    assert "-m venv --clear .venv" in make(tmp_path, ".venv/runs", "--dry-run").stdout


def test_two_targets_never_install_into_one_environment_at_once(checkout):
    (checkout / ".venv-figures" / "installed").unlink()
    (checkout / ".venv-figures" / "reports").unlink()
    done = make(checkout, "figures", "report", "docs", "-j")
    assert done.returncode == 0, done.stderr
    lines = (checkout / "ends").read_text().split()
    assert lines == ["begin", "end"] * (len(lines) // 2)
    assert installed(checkout)[1] == ["envs/figures.txt", "envs/report.txt", "envs/docs.txt"]


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
