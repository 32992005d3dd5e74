"""Test that no time of a file starts a job: what Snakemake compares for each rule, with times in every order."""

import os
import random
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from anytime_pruning.cli.main import main
from anytime_pruning.figures.report import notebook
from anytime_pruning.figures.report import page as page_of_study
from anytime_pruning.foundation.files import write_text
from anytime_pruning.orchestration.calls.products import Products
from anytime_pruning.orchestration.plan import plan
from anytime_pruning.orchestration.study_paths import StudyPaths

CLAIMS = "config/claims.yaml"


@pytest.fixture
def planned(tiny_project, tmp_path, monkeypatch):
    monkeypatch.chdir(shutil.copytree(tiny_project[0], tmp_path / "project", symlinks=True))
    config = Path("config/tiny.yaml")
    return plan(yaml.safe_load(config.read_text(encoding="utf-8")), [str(config)], os.path.exists)


def test_the_pages_of_a_renamed_study_are_made_again(tmp_path, monkeypatch):
    """Let the commands, as the rules call them, write pages that hold the name of the study and nothing else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(page_of_study, "write_report", lambda study, *rest: write_text(rest[-1], study))
    monkeypatch.setattr(notebook, "write_page", lambda path, study, page: write_text(page, study))
    for path in ("n.ipynb", "results/mine/figures.json", "paper_figures/mine/claims.csv"):
        write_text(Path(path), "{}")
    for command, page in ((["walkthrough", "n.ipynb"], "walkthrough"), (["report"], "report")):
        record = f"results/mine/made/{page}.txt"
        assert main([*command, "mine", f"results/mine/{page}.html", "--record", record]) == 0
    forced = []
    monkeypatch.setattr(Products, "_shown_are_current", lambda self, claims: True)
    for study in ("mine", "mine2"):
        assert forced == []
        drawn = SimpleNamespace(paths=StudyPaths(study), figures={}, shown_files=list)
        products = Products(drawn, forced.extend, "ancient {}".format)
        products.inputs_of_walkthrough("n.ipynb", CLAIMS)
        products.inputs_of_report("n.ipynb", CLAIMS)
        for top in ("results", "paper_figures"):
            Path(top, study).rename(f"{top}/mine2")
    assert forced == ["results/mine2/walkthrough.html", "results/mine2/report.html"]


def counted(paths):
    return [Path(path).stat().st_mtime for path in paths if not path.startswith("ancient ")]


def rules(products, planned):
    """Yield the inputs of every rule that is in all calls, and its outputs."""
    yield products.inputs_of_tables(), planned.tables()
    yield products.inputs_of_present_tables(), [*planned.files(), *planned.tables()]
    yield products.inputs_of_claims(CLAIMS), planned.paths.claims_files()
    for name in planned.figures:
        yield products.inputs_of_figure(name), planned.files_of_figure(name)


@pytest.mark.workflow
@pytest.mark.parametrize("seed", range(20))
def test_no_input_that_counts_is_newer_than_an_output(seed, planned):
    files = [path for part in ("config", "results", "paper_figures") for path in sorted(Path(part).rglob("*"))]
    for path in files:
        when = 1_600_000_000 + random.Random(f"{seed} {path}").random() * 1e8
        os.utime(path, (when, when))
    forced = []
    products = Products(planned, forced.extend, "ancient {}".format)
    n_counted = 0
    for inputs, outputs in rules(products, planned):
        assert max(counted(inputs), default=0) <= min(counted(outputs)), outputs
        n_counted += len(counted(inputs))
    assert forced == []
    assert n_counted
