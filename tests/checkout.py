"""Copy the checkout and add a tiny study, so that tests can run the workflow as a user does."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from conftest import ROOT
from warm_python import warm_python

PARTS = ("Snakefile", "anytime_pruning", "config", "envs", "profiles", "workflow")
TINY = {
    "study": "tiny",
    "execution": {"device": "cpu"},
    "defaults": {
        "dataset": "digits",
        "model": "resnet20",
        "n_megabatches": 2,
        "epochs": 1,
        "train_limit": 60,
        "seed": [0, 1],
    },
    "grid": [{"method": "app", "lr": 0.05}, {"method": "dense", "lr": 0.05}],
}

# One product of each rule that draws, for tests to which drawing all of them would add nothing.
DRAWN = ("paper_figures/tiny/short.pdf", "paper_figures/tiny/results.md", "paper_figures/tiny/claims.md")


def call(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run a program of this environment in a folder, as if its environment were activated.

    Snakemake and its jobs find their packages imported.
    """
    path = os.pathsep.join(map(str, (warm_python().parent, Path(sys.executable).parent, os.environ["PATH"])))
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"PATH": path}
    return subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True)


def snakemake(folder: Path, *arguments: str, config: str = "config/tiny.yaml") -> subprocess.CompletedProcess:
    # The target comes first, because --configfile takes all names that follow the option.
    return call(folder, "snakemake", *arguments, "--cores", "2", "--configfile", config)


def jobs(done: subprocess.CompletedProcess, rule: str) -> int:
    """Return how many jobs of a rule finished in a call of Snakemake that succeeded."""
    assert done.returncode == 0, done.stderr
    return jobs_in(done.stderr, rule)


def jobs_in(said: str, rule: str) -> int:
    """Return how many jobs of a rule finished, as Snakemake said."""
    return len(re.findall(rf"\(Rule: {rule}\)", said))


def write_config(folder: Path, content: dict, name: str = "tiny") -> None:
    (folder / "config" / f"{name}.yaml").write_text(yaml.safe_dump(content))


def with_lr(lr: float) -> dict:
    """Return the tiny study with another learning rate in its first entry."""
    return TINY | {"grid": [TINY["grid"][0] | {"lr": lr}, TINY["grid"][1]]}


def make_checkout(folder: Path) -> Path:
    """Copy the parts of the checkout, with their compiled modules, which each process would compile anew otherwise."""
    folder.mkdir(exist_ok=True)
    for part in PARTS:
        source = ROOT / part
        # Python writes a compiled module under a temporary name first, and another worker may do so at this moment. The
        # image may be built at this moment, too, in a folder that holds gigabytes.
        ignore = shutil.ignore_patterns("*.sif", ".build-image.*", "*.pyc.*")
        shutil.copytree(source, folder / part, ignore=ignore) if source.is_dir() else shutil.copy(source, folder)
    write_config(folder, TINY)
    return folder


def metrics_files(folder: Path) -> dict[str, bytes]:
    root = folder / "results" / "tiny" / "runs"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("metrics.json")}
