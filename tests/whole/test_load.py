"""Test that the work of reading and comparing grows no faster than the number of runs.

benchmarks/load.py measures times.
"""

import builtins
import io
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import ROOT

from anytime_pruning.__main__ import main
from anytime_pruning.figures.catalog.plan import plan_figures
from anytime_pruning.results.collect import collect
from anytime_pruning.results.layout import run_dir, runs_dir, weights_path
from anytime_pruning.results.store import read_metrics
from anytime_pruning.settings.run import parse_settings
from anytime_pruning.settings.study import PlannedRun, plan_study
from benchmarks import load, spread
from benchmarks.fabricate import fabricate, make_study

N_SEEDS = 30


@pytest.fixture(scope="module")
def stored(tmp_path_factory, data_dir):
    """Fabricate 300 runs of the study in a folder, and return the folder and the planned runs."""
    folder = tmp_path_factory.mktemp("load")
    _, runs = plan_study(make_study(N_SEEDS, str(data_dir)))
    assert fabricate(runs, "load", folder) == len(runs) == 300
    return folder, runs


@pytest.fixture
def opened(monkeypatch):
    """Count how often files below results/ are opened, by the name of the file."""
    counts, plain = Counter(), open

    def counting(file, *arguments, **options):
        if "/results/" in os.path.abspath(str(file)):
            counts[Path(file).name] += 1
        return plain(file, *arguments, **options)

    for module in (builtins, io):  # pathlib calls io.open.
        monkeypatch.setattr(module, "open", counting)
    return counts


def test_a_fabricated_run_is_one_that_could_have_been_trained(stored):
    folder, runs = stored
    assert fabricate(runs, "load", folder) == 0  # All runs exist already.
    for run in (runs[0], runs[-1]):
        metrics = read_metrics(folder / run_dir("load", run.name))
        assert (metrics.digest, metrics.seed) == (run.settings.digest(), run.settings.seed)
        content = yaml.safe_load((folder / run_dir("load", run.name) / "config.yaml").read_text())
        assert parse_settings(content) == run.settings
        assert (folder / weights_path("load", run.name)).exists()


def test_collecting_opens_every_file_of_a_run_the_same_few_times(stored, opened, tmp_path):
    folder, runs = stored
    root, names = folder / runs_dir("load"), [run.name for run in runs]
    collect(names, root, tmp_path / "tables")
    of_all = dict(opened)
    opened.clear()
    collect(names[:100], root, tmp_path / "tables-of-100")
    assert set(of_all) >= {"config.yaml", "metrics.json", "megabatches.csv", "epochs.csv", "layers.csv"}
    assert of_all == {name: 3 * count for name, count in opened.items()}
    assert max(of_all.values()) <= 2 * 300
    assert len(pd.read_csv(tmp_path / "tables" / "runs.csv")) == 300


def test_listing_runs_opens_none_of_them(stored, opened, tmp_path, monkeypatch, capsys):
    folder, _ = stored
    (folder / "smaller.yaml").write_text(yaml.safe_dump(make_study(N_SEEDS - 10)))
    monkeypatch.chdir(folder)
    assert main(["stale", "smaller.yaml"]) == 0
    assert capsys.readouterr().out.endswith("100 of 300 runs are in no grid\n")
    assert sum(opened.values()) == 0


class Compared(str):
    """Counts how often two texts of this class are compared."""

    count = 0
    __hash__ = str.__hash__

    def __eq__(self, other):
        Compared.count += 1
        return str.__eq__(self, other)


def test_planning_figures_compares_each_run_with_few_others():
    """Plan a grid in which six of sixteen runs have other settings, so that figures must tell runs apart."""
    counts = []
    for n_seeds in (N_SEEDS, 2 * N_SEEDS):
        study = make_study(n_seeds)
        study["grid"].append({"method": "app", "pruner": "snip", "n_megabatches": [2, 3], "tau": [2.0, 3.0, 4.0]})
        runs = [PlannedRun(Compared(run.name), run.settings) for run in plan_study(study)[1]]
        Compared.count = 0
        figures = plan_figures(runs)
        counts.append(Compared.count)
        assert len(figures["results"].runs) == len(runs) == 16 * n_seeds
    assert counts[1] <= 2 * counts[0] <= 2 * 10 * 16 * N_SEEDS


@pytest.mark.workflow
def test_the_workflow_plans_what_is_missing_and_nothing_else(stored, tmp_path):
    folder, runs = stored
    shutil.copytree(folder / "results", tmp_path / "results")
    checkout = load.make_folder(tmp_path, 10 * N_SEEDS, 10 * N_SEEDS)
    shutil.rmtree(checkout / run_dir("load", runs[7].name))
    command = ["snakemake", "experiments", "-n", "--cores", "1", "--configfile", "grid.yaml"]
    done = subprocess.run(command, cwd=checkout, env=load.ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Study load: 300 runs, 1 of them to train." in done.stdout
    assert f"Training {runs[7].name}\n" in done.stdout
    assert done.stdout.count("Training ") == 1


# The keys end the names of the result files, and the values are the pages of the documentation that show them.
PAGES = {"load": "results/scale.md", "spread": "explanation/determinism.md"}


@pytest.mark.parametrize(("kind", "module"), [("load", load), ("spread", spread)])
def test_the_tables_in_the_repository_are_made_of_the_stored_numbers(kind, module):
    """Check the results that the documentation links, because those of a user's own machine may lie beside them."""
    page = (ROOT / "docs" / PAGES[kind]).read_text()
    (name,) = re.findall(rf"\(\.\./\.\./(benchmarks/results/\S+-{kind}\.md)\)", page)
    text = module.to_markdown(json.loads((ROOT / name).with_suffix(".json").read_text()))
    assert (ROOT / name).read_text() == text
    assert text.split("\n\n")[1].strip() in page
