"""Test that the lists of packages in envs/ agree with uv.lock and suffice for their programs."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata

import export_versions
import pytest
import yaml
from conftest import ROOT
from packaging.markers import Marker
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import anytime_pruning

LOCK = tomllib.loads((ROOT / "uv.lock").read_text())
LOCKED = {package["name"]: package["version"] for package in LOCK["package"] if package["name"] != "anytime-pruning"}
GPU = re.compile(r"nvidia-|cuda-|triton$")
# The platform of the image that Dockerfile describes.
HERE = {
    "sys_platform": "linux",
    "platform_machine": "x86_64",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "python_full_version": "3.11.0",
    "python_version": "3.11",
}


def pins(name):
    """Return the versions that pip would install from a list on Linux, by normalized name."""
    if name.endswith(".yaml"):
        lines = yaml.safe_load((ROOT / "envs" / name).read_text())["dependencies"][2]["pip"]
    else:
        text = (ROOT / "envs" / name).read_text().replace("\\\n", "")
        lines = [re.sub(r"\s+--hash=\S+", "", line) for line in text.splitlines() if not line.startswith("#")]
    found = {}
    for line in lines:
        requirement, _, marker = (part.strip() for part in line.partition(";"))
        package, version = requirement.split("==")
        if not marker or Marker(marker).evaluate(HERE):
            found[canonicalize_name(package)] = version
    return found


LISTS = sorted(path.name for path in (ROOT / "envs").iterdir() if path.suffix in (".txt", ".lock", ".yaml"))


def test_every_list_is_as_the_lock_says():
    """Compare the lists with the lock and the lock with pyproject.toml, both without a package index."""
    for command in (["-m", "uv", "lock", "--check", "--offline", "--no-config"], [export_versions.__file__, "--check"]):
        done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_a_list_that_differs_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(export_versions, "ENVS", tmp_path)
    monkeypatch.setattr(export_versions, "locked_packages", lambda export: "numpy==2.0\n")
    assert export_versions.main([]) == 0
    assert export_versions.main(["--check"]) == 0
    (tmp_path / "figures.txt").write_text((tmp_path / "figures.txt").read_text().replace("==2.0", "==1.0"))
    (tmp_path / "left-over.txt").write_text("numpy==1.0\n")
    assert export_versions.main(["--check"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: envs/figures.txt differs from uv.lock; call make lock",
        "error: envs/left-over.txt differs from uv.lock; call make lock",
    ]


def test_all_lists_have_the_versions_of_the_lock():
    assert set(LISTS) == export_versions.LISTS.keys() | export_versions.CONDA.keys()
    for name in LISTS:
        assert pins(name).items() <= LOCKED.items(), name


def test_figures_need_a_part_of_what_training_needs():
    assert pins("figures.txt").items() < pins("requirements.txt").items()


def test_everything_that_is_installed_here_is_in_the_lock():
    """Compare the installed versions with the lock, because tests are about the versions of the lock."""
    for name, version in pins("dev.txt").items():
        assert metadata.version(name).partition("+")[0] == version, name


def test_every_version_installs_on_the_oldest_python_that_is_promised():
    """Check Python 3.11.0, because a distribution may hold any release of 3.11."""
    assert "Python 3.11 or newer" in (ROOT / "README.md").read_text()
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"] == ">=3.11"
    for package in pins("dev.txt"):
        needed = SpecifierSet(metadata.metadata(package).get("Requires-Python") or "")
        assert needed.contains("3.11.0"), f"{package} {metadata.version(package)} needs Python {needed}"


def test_the_image_of_gpus_has_the_same_versions_with_the_hash_of_every_file_and_no_address():
    text = (ROOT / "envs" / "requirements.lock").read_text().replace("\\\n", "")
    for line in text.splitlines():
        if not line.startswith("#"):
            assert re.fullmatch(r"[^#]+?( +--hash=sha256:[0-9a-f]{64})+", line), line
    locked, pinned = pins("requirements.lock"), pins("requirements.txt")
    assert locked.items() >= pinned.items()
    # Only the lock names the GPU packages of torch. Without the lock, pip adds them if it takes a GPU build of torch.
    more = locked.keys() - pinned.keys()
    assert {"triton", "nvidia-cudnn-cu13"} <= more
    assert [name for name in more if not GPU.match(name)] == []
    assert "://" not in text
    assert "index-url" not in text


def test_no_list_without_hashes_names_a_build_for_gpus():
    """Find no GPU packages, because gigabytes of them would be installed beside a CPU build of torch."""
    for name in set(LISTS) - {"requirements.lock"}:
        assert [package for package in pins(name) if GPU.match(package)] == [], name
    for name in ("figures.txt", "report.txt", "archive.txt", "figures.yaml", "report.yaml"):
        assert not pins(name).keys() & {"torch", "torchvision", "scikit-learn"}, name


@pytest.mark.parametrize(
    ("name", "rooms", "elsewhere"),
    [
        # The packages of the last column are optional: without them, a message names the list to install.
        (
            "train",
            ["*"],
            {"matplotlib", "onnx", "onnx-ir", "onnxruntime", "onnxscript", "scipy", "seaborn", "statsmodels", "wandb"}
            | {"nbclient", "nbconvert", "pillow-heif", "torch-pruning"},
        ),
        ("figures", ["foundation", "settings", "results", "figures"], {"nbclient", "nbconvert", "nbformat"}),
        ("report", ["foundation", "settings", "results", "figures"], set()),
    ],
)
def test_a_conda_environment_has_all_that_its_programs_import(name, rooms, elsewhere):
    imported = set()
    for path in (path for room in rooms for path in (ROOT / "anytime_pruning").glob(f"{room}/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                imported.add(node.module.split(".")[0])
    named = {"PIL": "pillow", "yaml": "pyyaml", "sklearn": "scikit-learn"}
    found = {named.get(module, canonicalize_name(module)) for module in imported - set(sys.stdlib_module_names)}
    # Every environment has the foundation, whose shim imports torchvision only when datasets or models ask for it.
    only_training = {"torch", "torchvision"} if name != "train" else {"nbformat"}
    assert {"pydantic", "pyyaml", "numpy"} <= found
    assert found - {"anytime-pruning"} - elsewhere - only_training <= pins(f"{name}.yaml").keys()


def test_planning_collecting_and_drawing_import_nothing_else():
    """Forbid the import of every installed package that envs/figures.txt does not name."""
    named = (pins("dev.txt").keys() | pins("requirements.txt").keys()) - pins("figures.txt").keys()
    modules = {{"scikit-learn": "sklearn"}.get(name, name.replace("-", "_")) for name in named}
    assert {"torch", "torchvision", "sklearn", "mkdocs"} <= modules
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({sorted(modules)!r}))\n"
        "from anytime_pruning.cli import main\n"
        "from anytime_pruning.results import collect\n"
        "from anytime_pruning.figures import draw\n"
        "from anytime_pruning.foundation.safe_text import read_yaml\n"
        "from anytime_pruning.settings.study import plan_study\n"
        "import snakemake.cli\n"
        "plan_study(read_yaml('config/demo.yaml'))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_version_stands_in_one_place():
    """Compare the citation with the package, because every other file reads the version from the package."""
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == anytime_pruning.__version__
    assert "version" not in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (ours,) = (package for package in LOCK["package"] if package["name"] == "anytime-pruning")
    assert "version" not in ours
