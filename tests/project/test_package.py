"""Test the installed package: the content of the wheel, and its commands and workflow in an empty folder."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

import anytime_pruning
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.orchestration.places import project_root
from anytime_pruning.orchestration.scaffold import set_up_workflow


def build(folder: Path, out: Path) -> None:
    """Build the wheel and the source distribution without a network, with the installed build backend."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(out)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def distributions(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    build(ROOT, out)
    return out


@pytest.fixture(scope="module")
def site(distributions, tmp_path_factory) -> Path:
    """Return a folder with the wheel as pip unpacks it."""
    folder = tmp_path_factory.mktemp("python") / "site-packages"
    (wheel,) = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder)
    return folder


def names_in(distributions: Path) -> set[str]:
    (wheel,) = distributions.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def call(site: Path, folder: Path, *command: str) -> subprocess.CompletedProcess:
    """Run a program of this environment in a folder, where only the installed package can be imported."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PYTHONPATH": str(site), "PYTHONSAFEPATH": "1", "PATH": path}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_the_wheel_holds_the_package_and_the_workflow_and_nothing_else(distributions):
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("no git clone")
    files = {name for name in listed.stdout.split("\0") if (ROOT / name).is_file()}
    ours = {name for name in files if name.startswith("anytime_pruning/")}
    parts = r"Snakefile|envs/\w+\.yaml|(config|profiles|workflow/(notebooks|report|rules))/.*"
    project = {f"anytime_pruning/project/{name}" for name in files if re.fullmatch(parts, name)}
    held = {name for name in names_in(distributions) if ".dist-info/" not in name}
    assert {"anytime_pruning/py.typed", "anytime_pruning/__init__.pyi"} <= ours
    assert len(project) > 15
    assert held == ours | project


def test_a_wheel_of_the_source_distribution_is_the_same(distributions, tmp_path):
    (source,) = distributions.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    build(tmp_path / source.name.removesuffix(".tar.gz"), tmp_path / "dist")
    assert names_in(tmp_path / "dist") == names_in(distributions)


def test_the_metadata_are_those_of_the_project(site):
    (found,) = metadata.distributions(path=[str(site)])
    assert (found.name, found.version) == ("anytime-pruning", anytime_pruning.__version__)
    assert found.metadata["Requires-Python"] == ">=3.11"
    assert found.metadata["License-Expression"] == "MIT"
    extras = {"workflow", "figures", "report", "export", "trackers", "dvc", "slurm", "dev"}
    assert extras <= set(found.metadata.get_all("Provides-Extra"))
    always = [line for line in found.requires if "extra ==" not in line]
    assert 0 < len(always) < 10
    assert [line for line in always if re.match("torch|snakemake|matplotlib", line)] == []
    (script,) = found.entry_points.select(group="console_scripts")
    assert (script.name, script.value) == ("anytime-pruning", "anytime_pruning.cli.main:main")
    addresses = found.metadata.get_all("Project-URL")
    assert addresses == ["Paper, https://arxiv.org/abs/2204.01640"]


def test_the_stub_declares_the_public_calls():
    """Compare what type checkers read with what `from anytime_pruning import ...` finds, module by module."""
    stub = (ROOT / "anytime_pruning" / "__init__.pyi").read_text()
    declared = dict(re.findall(r"from (\S+) import \w+ as (\w+)", stub))
    assert {name: module for module, name in declared.items()} == anytime_pruning._PUBLIC
    assert sorted(re.findall(r"^(\w+):", stub, re.MULTILINE) + sorted(declared.values())) == sorted(
        anytime_pruning.__all__
    )
    assert dir(anytime_pruning) == sorted(anytime_pruning.__all__)


def test_the_workflow_is_found_in_a_checkout_and_in_an_installed_package(site, tmp_path):
    assert project_root() == ROOT.resolve()
    code = "from anytime_pruning.orchestration.places import project_root; print(project_root())"
    done = call(site, tmp_path, sys.executable, "-c", code)
    assert done.stdout.strip() == str(site.resolve() / "anytime_pruning" / "project"), done.stderr
    assert (site / "anytime_pruning" / "project" / "Snakefile").is_file()


def test_a_folder_of_ones_own_gets_what_a_user_edits(tmp_path):
    folder = tmp_path / "a b" / "study"
    written = set_up_workflow(folder)
    assert {str(path.relative_to(folder)) for path in written} == {
        "Snakefile",
        "config/demo.yaml",
        "config/claims.yaml",
        "profiles/default/config.yaml",
        "profiles/slurm/config.yaml",
    }
    assert (folder / "config/demo.yaml").read_bytes() == (ROOT / "config/demo.yaml").read_bytes()
    # The files name no path of this machine, so that the folder can be moved and the package upgraded.
    assert [path for path in written if str(ROOT) in path.read_text() or str(tmp_path) in path.read_text()] == []


def test_a_file_of_the_user_is_never_overwritten(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "demo.yaml").write_text("mine")
    with pytest.raises(SettingError, match=re.escape("demo.yaml exists already; name another folder")):
        set_up_workflow(tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["config", "demo.yaml"]
    assert (tmp_path / "config" / "demo.yaml").read_text() == "mine"


def test_the_snakefile_is_in_form(tmp_path):
    set_up_workflow(tmp_path)
    done = subprocess.run([sys.executable, "-m", "snakefmt", "--check", "Snakefile"], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.workflow
def test_the_installed_package_plans_a_study_in_a_folder_of_the_users_own(site, tmp_path):
    """Plan with edited settings in the folder that the command made."""
    program = (sys.executable, "-m", "anytime_pruning")
    done = call(site, tmp_path, *program, "workflow", "my study")
    assert done.returncode == 0, done.stderr
    again = call(site, tmp_path, *program, "workflow", "my study")
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    folder = tmp_path / "my study"
    config = yaml.safe_load((folder / "config" / "demo.yaml").read_text())
    (folder / "config" / "demo.yaml").write_text(yaml.safe_dump(config | {"study": "mine"}))
    done = call(site, folder, "snakemake", "--cores", "1", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "Study mine: 38 runs, 38 of them to train." in done.stdout
    assert not (folder / "results").exists()
    done = call(site, folder, "snakemake", "--cores", "1", "write_plan")
    assert done.returncode == 0, done.stderr
    assert len((folder / "results" / "mine" / "runs.txt").read_text().splitlines()) == 38
    assert not (ROOT / "results" / "mine").exists()
