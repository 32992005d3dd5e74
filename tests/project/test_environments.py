"""The light environment of figures: the same versions as the whole, and enough to plan, collect and draw."""

import ast
import re
import subprocess
import sys
from importlib import metadata

import pytest
import yaml
from conftest import ROOT
from packaging.specifiers import SpecifierSet


def pins(name):
    lines = (ROOT / "envs" / name).read_text().splitlines()
    return {line for line in lines if re.match(r"[A-Za-z0-9]", line)}


def test_figures_need_a_part_of_what_training_needs_in_the_same_versions():
    assert pins("figures.txt") < pins("requirements.txt")


def test_no_two_environments_differ_in_a_version():
    versions = {}
    for name in ("requirements", "figures", "extras", "report", "dvc", "slurm", "archive", "dev"):
        for line in pins(f"{name}.txt"):
            package, version = line.split("==")
            assert versions.setdefault(package.lower(), version) == version, line


# What `make test` installs, so that it can be asked.
INSTALLED = ("requirements", "figures", "extras", "report", "archive", "dev")


def test_every_version_installs_on_the_oldest_python_that_is_promised():
    """Python 3.11.0: that of a distribution may be any release of 3.11."""
    assert "Python 3.11 or newer" in (ROOT / "README.md").read_text()
    for package in {line.split("==")[0] for name in INSTALLED for line in pins(f"{name}.txt")}:
        needed = SpecifierSet(metadata.metadata(package).get("Requires-Python") or "")
        assert needed.contains("3.11.0"), f"{package} {metadata.version(package)} needs Python {needed}"


def test_the_lock_has_the_same_versions_with_the_hash_of_every_file_and_no_address():
    text = (ROOT / "envs" / "requirements.lock").read_text().replace("\\\n", "")
    locked = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            requirement, *hashes = line.split()
            assert hashes, line
            assert all(re.fullmatch("--hash=sha256:[0-9a-f]{64}", each) for each in hashes), line
            name, version = requirement.split("==")
            locked[name.lower().replace("_", "-")] = version
    pinned = dict(line.lower().replace("_", "-").split("==") for line in pins("requirements.txt"))
    assert locked.items() >= pinned.items()
    # More is only what torch needs on a GPU.
    more = set(locked) - set(pinned)
    assert {"triton", "nvidia-cudnn-cu13"} <= more
    assert all(name.startswith(("nvidia-", "cuda-")) or name == "triton" for name in more)
    assert "://" not in text
    assert "index-url" not in text


CONDA = {"train": "requirements", "figures": "figures", "report": "report"}


@pytest.mark.parametrize("name", CONDA)
def test_a_conda_environment_has_the_same_versions(name):
    content = yaml.safe_load((ROOT / "envs" / f"{name}.yaml").read_text())
    python, _, packages = content["dependencies"]
    assert python == "python=3.11"
    assert set(packages["pip"]) <= pins(f"{CONDA[name]}.txt") | pins("figures.txt")


@pytest.mark.parametrize(
    ("name", "folders", "elsewhere"),
    [
        ("train", ["anytime_pruning"], {"onnx", "onnx_ir", "onnxscript", "wandb"}),  # extras.txt
        ("figures", ["workflow/scripts"], {"nbclient", "nbconvert", "nbformat"}),  # report.yaml
        ("report", ["workflow/scripts"], set()),
    ],
)
def test_a_conda_environment_has_all_that_its_programs_import(name, folders, elsewhere):
    imported = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                imported.add(node.module.split(".")[0])
    own = {"anytime_pruning"} | {path.stem for path in (ROOT / "workflow" / "scripts").glob("*.py")}
    named = {"PIL": "pillow", "yaml": "pyyaml", "sklearn": "scikit-learn"}
    needed = {named.get(module, module) for module in imported - own - elsewhere - set(sys.stdlib_module_names)}
    packages = yaml.safe_load((ROOT / "envs" / f"{name}.yaml").read_text())["dependencies"][2]["pip"]
    assert needed <= {package.split("==")[0].lower() for package in packages}


def test_planning_collecting_and_drawing_import_nothing_else():
    """What is installed but not in envs/figures.txt must not be imported."""
    named = {line.split("==")[0] for line in pins("requirements.txt") - pins("figures.txt")}
    modules = {{"scikit-learn": "sklearn"}.get(name, name.replace("-", "_")) for name in named}
    assert {"torch", "torchvision", "sklearn", "seaborn"} <= modules
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({sorted(modules)!r}))\n"
        "sys.path.insert(0, 'workflow/scripts')\n"
        "from anytime_pruning import __main__, collect, reading, study, workflow\n"
        "import draw_figure, snakemake.cli\n"
        "study.plan_study(reading.read_yaml('config/demo.yaml'))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
