"""The light environment of figures: the same versions as the whole, and enough to plan, collect and draw."""

import re
import subprocess
import sys

from conftest import ROOT


def pins(name):
    lines = (ROOT / "envs" / name).read_text().splitlines()
    return {line for line in lines if re.match(r"[A-Za-z0-9]", line)}


def test_figures_need_a_part_of_what_training_needs_in_the_same_versions():
    assert pins("figures.txt") < pins("requirements.txt")


def test_no_two_environments_differ_in_a_version():
    versions = {}
    for name in ("requirements", "figures", "extras", "report", "dvc", "dev"):
        for line in pins(f"{name}.txt"):
            package, version = line.split("==")
            assert versions.setdefault(package.lower(), version) == version, line


def test_planning_collecting_and_drawing_import_nothing_else():
    """What is installed but not in envs/figures.txt must not be imported."""
    named = {line.split("==")[0] for line in pins("requirements.txt") - pins("figures.txt")}
    modules = {{"scikit-learn": "sklearn"}.get(name, name.replace("-", "_")) for name in named}
    assert {"torch", "torchvision", "sklearn", "seaborn"} <= modules
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({sorted(modules)!r}))\n"
        "sys.path.insert(0, 'workflow/scripts')\n"
        "from anytime_pruning import __main__, collect, study, workflow\n"
        "import draw_figure, snakemake.cli\n"
        "study.plan_study(study.read_yaml(study.Path('config/demo.yaml')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
