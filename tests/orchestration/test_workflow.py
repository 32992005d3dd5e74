"""Test the workflow as a user runs it: real Snakemake on a tiny study in a copy of the checkout."""

import os
import random
import re
import shutil
import subprocess

import pandas as pd
import pytest
import yaml
from checkout import TINY, call, jobs, jobs_in, make_checkout, metrics_files, snakemake, with_lr, write_config
from conftest import ROOT

pytestmark = [pytest.mark.long(180), pytest.mark.workflow]
# A figure and a table stand for all.
DRAWN = ("paper_figures/tiny/framework.pdf", "paper_figures/tiny/results.md")


@pytest.fixture
def clone(tiny_project, tmp_path):
    """Commit the results of a trained checkout, clone the checkout with git, and set random file times."""
    source = shutil.copytree(tiny_project[0], tmp_path / "source", symlinks=True)
    ignored = (".snakemake/", "/data/", "/results/*/checkpoints/", "/results/*/runs.txt", "/results/*/made/", "logs/")
    (source / ".gitignore").write_text("\n".join(ignored) + "\n")
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=source, check=command[0] != "-c", capture_output=True)
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", source, folder], check=True)
    for path in folder.rglob("*"):
        if path.is_file() and ".git" not in path.parts:
            when = 1_700_000_000 + random.Random(str(path.relative_to(folder))).random() * 1e6
            os.utime(path, (when, when))
    return folder


def test_the_grid_becomes_runs_tables_and_figures(tiny_project):
    folder, said = tiny_project
    assert jobs_in(said, "train") == 4
    assert jobs_in(said, "prepare_data") == 1
    assert "Study tiny: 4 runs, 4 of them to train." in said
    assert sorted(re.sub("-[0-9a-f]{12}/", "/", name) for name in metrics_files(folder)) == [
        f"digits/resnet20/T2/{series}/seed{seed}/metrics.json"
        for series in ("app/snip", "dense/none")
        for seed in (0, 1)
    ]
    figures = {path.name for path in (folder / "paper_figures" / "tiny").iterdir()}
    streams = ("accuracy", "dynamics", "layers", "budget")
    plots = ("short", "framework", *(f"{name}-digits-resnet20-T2" for name in streams))
    tables = ("results", "differences", "equivalence", "cost", "best_within_budget", "claims")
    assert figures == {
        f"{stem}.{kind}"
        for stems, kinds in ((plots, ("pdf", "png", "csv")), (tables, ("md", "html", "tex", "csv")))
        for stem in stems
        for kind in kinds
    }
    assert len(list((folder / "results" / "tiny" / "checkpoints").rglob("weights.safetensors"))) == 4


def test_a_second_call_does_nothing_and_says_so(tiny_project, tmp_path):
    folder = shutil.copytree(tiny_project[0], tmp_path / "project", symlinks=True)
    before = metrics_files(folder)
    done = snakemake(folder)
    assert "Nothing to be done" in done.stderr
    assert metrics_files(folder) == before


def test_a_fresh_clone_with_results_trains_nothing(clone):
    before = metrics_files(clone)
    assert len(before) == 4
    done = snakemake(clone, "experiments", *DRAWN)
    assert jobs(done, "train") == 0
    assert metrics_files(clone) == before
    assert all((clone / path).exists() for path in DRAWN)
    assert not (clone / "data").exists()  # The workflow did not even fetch data.


def test_an_edited_setting_trains_exactly_its_runs_and_edited_back_none(clone):
    before = metrics_files(clone)
    write_config(clone, with_lr(0.01))
    assert jobs(snakemake(clone, "experiments", *DRAWN), "train") == 2
    after = metrics_files(clone)
    assert {name for name in after if name not in before} == {name for name in after if "/app/" in name} - set(before)
    assert len(after) == 6
    assert all(after[name] == before[name] for name in before)
    runs = pd.read_csv(clone / "results" / "tiny" / "tables" / "runs.csv", keep_default_na=False)
    assert set(runs["variant"]) == {"lr=0.01", "lr=0.05"}  # Neither rate is the usual one.

    write_config(clone, TINY)
    assert jobs(snakemake(clone, "experiments", *DRAWN), "train") == 0
    runs = pd.read_csv(clone / "results" / "tiny" / "tables" / "runs.csv")
    assert set(runs["run"] + "/metrics.json") == set(before)


def test_an_added_run_is_trained_though_every_figure_is_there(clone):
    write_config(clone, TINY | {"defaults": TINY["defaults"] | {"seed": [0, 1, 2]}})
    assert jobs(snakemake(clone, "experiments"), "train") == 2


def make_figures(clone):
    """Call what `make figures` calls for one study."""
    text = (ROOT / "Makefile").read_text().replace("\\\n", "")
    (call_,) = re.findall(r"\$\(SNAKEMAKE\) (paper .*?)\)\n", text)
    (options,) = re.findall(r"^DRAW := (.*)$", text, re.MULTILINE)
    call_ = call_.replace('"$$config"', "config/tiny.yaml").replace("$(DRAW)", options)
    return call(clone, "snakemake", *call_.split())


def test_drawing_alone_says_which_runs_a_figure_misses_and_trains_nothing(clone):
    lost = next(path for path in (clone / "results" / "tiny" / "runs").rglob("metrics.json") if "/dense/" in str(path))
    aside = lost.rename(clone / "aside.json")
    name, figures = str(lost.parent.relative_to(clone / "results/tiny/runs")), clone / "paper_figures" / "tiny"
    layers = figures / "layers-digits-resnet20-T2.png"
    layers.unlink()
    done = make_figures(clone)
    assert done.returncode != 0
    assert "rule train" not in done.stderr
    # A note replaces each figure and table that needs the missing run. A figure that does not need the run is drawn.
    for stem in ("short", "dynamics-digits-resnet20-T2", "results", "differences", "cost"):
        assert (
            f"error: {stem}: not drawn, 1 of its 4 runs are missing and have to be trained first: {name}" in done.stderr
        )
        assert [path.name.split(".", 1)[1] for path in figures.glob(f"{stem}.*")] in (["missing.png"], ["missing.md"])
    assert layers.exists()
    # The workflow takes the run up again once the file is back in its place with its old time.
    aside.rename(lost)
    assert jobs(snakemake(clone, "experiments", *DRAWN, "paper_figures/tiny/short.pdf"), "train") == 0
    for stem in ("short", "results"):
        assert not list(figures.glob(f"{stem}.missing.*"))
        assert list(figures.glob(f"{stem}.csv"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "error: epochs: 0 is not allowed: Input should be greater than or equal to 1"),
        ({"epoch": 1}, "error: grid[0].epoch: unknown setting (value 1); allowed: "),
        ({"model": "resnet21"}, "error: model: 'resnet21' is not known; allowed: resnet101, "),
        ({"n_megabatches": 21}, "error: n_megabatches: 21 is not allowed: 60 training images make at most 20"),
        ({"dataset": "mnist"}, "error: dataset: 'mnist' is not known; allowed: cifar10, cifar100, digits"),
    ],
)
def test_a_wrong_configuration_is_one_line_before_any_job(change, message, tmp_path):
    folder = make_checkout(tmp_path)
    write_config(folder, TINY | {"grid": [{"method": "app"} | change]})
    done = snakemake(folder)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if "error" in line.lower()]
    assert line.startswith(message)
    assert "Traceback" not in done.stderr
    assert not (folder / "results").exists()


def test_what_snakemake_would_read_as_another_number_is_refused_and_text_on_the_command_line_stays_text(tmp_path):
    folder = make_checkout(tmp_path)
    text = yaml.safe_dump(TINY | {"defaults": TINY["defaults"] | {"selection": "n_m", "pattern": "2:4"}})
    assert "pattern: '2:4'" in text
    (folder / "config" / "tiny.yaml").write_text(text.replace("'2:4'", "2:4"))
    done = snakemake(folder, "--dry-run")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"error: config: {folder}/config/tiny.yaml cannot be read: pattern: 2:4 without quotes is a number or a date "
        f"for Snakemake; write it in quotes: pattern: '2:4' (line {text[: text.index('2:4')].count(chr(10)) + 1})"
    )
    write_config(folder, TINY)
    grid = "grid=[{method: app, selection: n_m, pattern: 2:4, seed: 010}]"
    done = call(folder, "snakemake", "--cores", "2", "--dry-run", "--configfile", "config/tiny.yaml", "--config", grid)
    assert done.returncode == 0, done.stderr
    (run,) = set(re.findall(r"Training (\S+)", done.stdout))
    assert "/seed10-" in run


@pytest.mark.parametrize(
    "target",
    [
        "results/tiny/runs/x/metrics.json",
        "data/cache/x.safetensors",
        "paper_figures/tiny/x.pdf",
        "paper_figures/tiny/x.md",
    ],
)
def test_a_target_that_the_study_does_not_have_is_said(target, tmp_path):
    done = snakemake(make_checkout(tmp_path), "--dry-run", target)
    assert done.returncode == 1
    assert f"MissingRuleException:\nNo rule to produce {target}" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_another_file_with_a_study_of_the_same_name_is_a_warning(tmp_path):
    folder = make_checkout(tmp_path)
    write_config(folder, TINY, "copy")
    (folder / "config" / "notes.json").write_text("tiny {")
    (folder / "config" / "link.yaml").symlink_to("tiny.yaml")
    warned = [line for line in snakemake(folder, "--dry-run").stdout.splitlines() if "WARNING" in line]
    assert warned == [
        f"WARNING: {folder}/config/copy.yaml has a study of the same name, tiny. Each overwrites the other's tables "
        "and figures. Give one of the two another name."
    ]
    # Both files make one study here.
    both = ["--configfile", "config/tiny.yaml", "config/copy.yaml"]
    assert "WARNING" not in call(folder, "snakemake", "--cores", "2", "--dry-run", *both).stdout


def test_a_missing_archive_is_named_before_anything_trains(tmp_path):
    folder = make_checkout(tmp_path)
    dataset = {"mine": {"source": "image_folder", "path": "nowhere.tar.xz", "content_sha256": "0" * 64}}
    write_config(folder, TINY | {"datasets": dataset, "grid": [{"dataset": "mine", "method": "app"}]})
    done = snakemake(folder)
    assert done.returncode == 1
    assert "error: nowhere.tar.xz: no such folder or archive" in done.stderr
    assert not list((folder / "results").rglob("metrics.json"))
    assert not list((folder / "data").rglob("*.safetensors"))


def test_the_papers_grid_plans_and_nothing_of_the_demonstration_leaks_in(tmp_path):
    folder = make_checkout(tmp_path)
    done = snakemake(folder, "--dry-run", config="config/paper.yaml")
    assert done.returncode == 0, done.stderr
    assert "Study paper: 321 runs, 321 of them to train." in done.stdout
    assert re.search(r"^train +321$", done.stdout, re.MULTILINE)
    assert "Data: cifar10 and cifar100 will be downloaded." in done.stdout
    assert re.search(r"About \d+ GPU-hours at 20 TFLOP/s, which is assumed", done.stdout)
    assert "Training cifar10/" in done.stdout
    assert "digits" not in done.stdout
    assert not (folder / "results").exists()


def test_the_demonstration_is_the_default(tmp_path):
    folder = make_checkout(tmp_path)
    done = call(folder, "snakemake", "--cores", "2", "--dry-run")
    assert "Study demo: 38 runs, 38 of them to train." in done.stdout
    (steps,) = set(re.findall(r"^total +(\d+)$", done.stdout, re.MULTILINE))
    for page in ("README.md", "docs/tutorial.md", "ARTIFACT.md"):
        text = (ROOT / page).read_text()
        assert f"{steps} of {steps} steps (100%) done" in text
        assert re.search(r"\b38 small\s(networks|runs)", text)
    # A file without the name of a study does not belong to the demonstration.
    write_config(folder, {"grid": [{"dataset": "digits", "model": "resnet20"}]})
    done = snakemake(folder, "--dry-run")
    assert done.returncode == 2
    assert "error: study: this setting is required" in done.stderr
    # A setting on the command line changes the default study and does not replace the study.
    done = call(folder, "snakemake", "--cores", "2", "--dry-run", "--config", "study=other")
    assert "Study other: 38 runs, 38 of them to train." in done.stdout


def test_the_workflow_has_no_lint(tmp_path):
    folder = make_checkout(tmp_path)
    done = call(folder, "snakemake", "--lint")
    assert done.returncode == 0, done.stderr
    assert "Congratulations, your workflow is in a good condition!" in done.stderr


@pytest.mark.parametrize(
    ("runtime", "message"),
    [
        (False, "error: --use-singularity is not allowed: neither apptainer nor singularity is installed;"),
        (True, "error: container: 'envs/anytime-pruning.sif' is not there; `make image` builds"),
    ],
)
def test_a_container_that_cannot_run_is_one_line_before_any_job(runtime, message, tmp_path, monkeypatch):
    folder = make_checkout(tmp_path / "project")
    found = tmp_path / "bin"  # This folder holds every program that the workflow can find.
    found.mkdir()
    # The executor plugin calls `which` where the plugin is installed.
    for program in ("bash", "sh", "which"):
        (found / program).symlink_to(shutil.which(program))
    if runtime:
        (found / "apptainer").write_text("#!/bin/sh\necho apptainer version 1.4.5\n")
        (found / "apptainer").chmod(0o755)
    monkeypatch.setenv("PATH", str(found))
    done = snakemake(folder, "--use-singularity")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if "error" in line.lower()]
    assert line.startswith(message)
    assert not (folder / "results").exists()
