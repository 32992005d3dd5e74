"""Test that no program of the project executes downloaded files, and that every installed package is pinned."""

import re
import tomllib

import pytest
import yaml
from conftest import ROOT
from unsafe_code import find_unsafe, project_files, python_of

# These uses of unsafe names are allowed, each for the given reason.
ALLOWED = {
    (
        "anytime_pruning/datasets/cifar/official.py",
        "torchvision.datasets",
    ): "checks the official checksums first: test_malicious_cifar.py",
    ("anytime_pruning/__init__.py", "importlib.import_module"): "imports only modules that it names itself",
    ("tests/cli/test_main.py", "importlib.import_module"): "imports a module that does not exist",
    ("tests/datasets/test_cifar.py", "pickle"): "makes archives in CIFAR's format",
    ("tests/datasets/test_cifar.py", "torchvision.datasets"): "makes torchvision expect these archives",
    ("tests/datasets/test_malicious_cifar.py", "pickle"): "proves that its pickle is harmful",
    ("tests/datasets/test_malicious_cifar.py", "torchvision.datasets"): "removes the checks of torchvision",
    ("tests/foundation/test_source_code.py", "exec"): "makes functions without source, as a prompt does",
    ("tests/foundation/test_source_code.py", "importlib.import_module"): "imports modules that it has just written",
    ("tests/project/test_package.py", "extractall"): "unpacks the wheel that it has just built",
    ("tests/documentation/test_findings.py", "exec"): "runs what the page of findings shows",
    ("tests/documentation/test_pages.py", "exec"): "runs what the pages show",
    ("tests/documentation/test_readme.py", "exec"): "runs what the README shows",
    ("tests/warm_python/server.py", "exec"): "runs the code of a command line, as `python -c` does",
}

PROGRAMS = project_files("*.py", "*.ipynb", "Snakefile", "*.smk")


def test_no_program_loads_what_can_run_code():
    found = {(str(path.relative_to(ROOT)), name) for path in PROGRAMS for name in find_unsafe(python_of(path))}
    assert {path.suffix for path in PROGRAMS} == {".py", ".ipynb", ".smk", ""}
    assert found == set(ALLOWED)  # nor is a use allowed that no longer exists


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import pickle", "pickle"),
        ("from pickle import loads as quick", "pickle"),
        ("import joblib.numpy_pickle", "joblib"),
        ("import torch as t\nt.load('w.pt')", "torch.load"),
        ("from torch import load as read\nread('w.pt')", "torch.load"),
        ("import torch\nread = torch.load", "torch.load"),
        ("import torch\ngetattr(torch, 'load')('w.pt')", "torch.load"),
        ("import torch\ntorch.hub.load('a/b', 'c')", "torch.hub"),
        ("np.load('x.npy', allow_pickle=True)", "allow_pickle"),
        ("np.load('x.npy', allow_pickle=setting)", "allow_pickle"),
        ("pd.read_pickle('x')", "pandas.read_pickle"),
        ("import yaml\nyaml.load(text, Loader=yaml.FullLoader)", "yaml.load"),
        ("import yaml as y\ny.unsafe_load(text)", "yaml.unsafe_load"),
        ("from yaml import UnsafeLoader", "yaml.UnsafeLoader"),
        ("eval(text)", "eval"),
        ("exec(open('x').read())", "exec"),
        ("__import__('pick' + 'le')", "__import__"),
        ("import importlib\nimportlib.import_module(name)", "importlib.import_module"),
        ("import os\nos.system('rm ' + name)", "os.system"),
        ("import subprocess\nsubprocess.run(f'ls {name}', shell=True)", "shell"),
        ("archive.extractall(folder)", "extractall"),
        ("archive.extractall(folder, filter='fully_trusted')", "extractall"),
        ("import shutil\nshutil.unpack_archive(path, folder)", "unpack_archive"),
        ("import torchvision\ntorchvision.datasets.CIFAR10('data')", "torchvision.datasets"),
        ("import_torchvision().datasets.CIFAR10('data')", "torchvision.datasets"),
        ("import requests\nrequests.get(url, verify=False)", "verify"),
    ],
)
def test_the_search_finds_what_it_is_for(code, name):
    assert name in find_unsafe(code)


@pytest.mark.parametrize(
    "code",
    [
        "model.eval()",
        "yaml.safe_load(text)",
        "np.load('x.npy')",
        "np.load('x.npy', allow_pickle=False)",
        "subprocess.run(['ls', name])",
        "archive.extractall(folder, filter='data')",
        "from safetensors.torch import load",
        "re.compile(pattern)",
    ],
)
def test_the_search_leaves_the_harmless_alone(code):
    assert find_unsafe(code) == set()


# The workflow makes these values itself: a digest of hexadecimal digits, the option of one rule, and the commands that
# run the package, in which `prepare_jobs` and `in_folder` have quoted every path.
UNQUOTED = {"params.digest", "params.option", "params.program", "params.program_of_checkout"}


def test_the_shell_of_a_rule_gets_every_value_quoted():
    """Find quotes around every value, because a shell would execute commands in the name of a study or dataset."""
    texts = {path: path.read_text() for path in PROGRAMS if path.suffix == ".smk"}
    commands = [block for text in texts.values() for block in re.findall(r"shell:\n((?:\s+\".*\"\n?)+)", text)]
    assert len(commands) == sum(text.count("shell:") for text in texts.values()) > 5
    values = [value for command in commands for value in re.findall(r"\{([^{} ]+)\}", command)]
    assert {value for value in values if not value.endswith(":q")} <= UNQUOTED


# A pin names a package, its version and, if need be, the systems that need the package.
PIN = r"[a-z0-9][a-z0-9.-]*==[A-Za-z0-9.]+( ; [^#@]+)?"
LISTS = sorted((ROOT / "envs").glob("*.txt"))


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_every_package_is_pinned_and_from_the_index(path):
    """Find no address, option of pip or range, so that pip installs these versions from the index of its user."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert len(lines) > 50
    assert [line for line in lines if not re.fullmatch(PIN, line)] == []


def test_a_conda_environment_pins_every_package():
    for path in (ROOT / "envs").glob("*.yaml"):
        *conda, packages = yaml.safe_load(path.read_text())["dependencies"]
        assert conda == ["python=3.11", "pip"]
        assert [line for line in packages["pip"] if not re.fullmatch(PIN, line)] == []


def test_the_lock_names_the_public_index_and_no_place_of_the_machine_that_wrote_it():
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    files = [file for package in packages for file in [*package.get("wheels", []), package.get("sdist")] if file]
    sources = [package["source"] for package in packages if package["name"] != "anytime-pruning"]
    assert [source for source in sources if source != {"registry": "https://pypi.org/simple"}] == []
    assert len(files) > 1000
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"]) for file in files)
    assert {file["url"].split("/packages/")[0] for file in files} == {"https://files.pythonhosted.org"}
