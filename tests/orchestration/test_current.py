"""Test what a call of Snakemake makes again: what differs in content, whatever the times, and nothing by looking."""

import os
import re
import shutil

import pytest
from checkout import TINY, jobs, make_checkout, snakemake, write_config

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.orchestration.calls.handover import pack, unpack
from anytime_pruning.orchestration.inputs import data_of_run, runs_by_cache_file
from anytime_pruning.orchestration.study_paths import StudyPaths
from anytime_pruning.settings.run import parse_settings

FUTURE = 4_000_000_000


@pytest.fixture
def checkout(tiny_project, tmp_path):
    return shutil.copytree(tiny_project[0], tmp_path / "project", symlinks=True)


def planned(folder, *arguments):
    """Return the number of jobs of each rule that a dry run names."""
    done = snakemake(folder, *arguments, "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    stats = re.search(r"^Job stats:\n(.*?)^total", done.stdout, re.MULTILINE | re.DOTALL)
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", stats[1], re.MULTILINE)} if stats else {}


def edit_unnoticed(path, old, new):
    """Edit a file but keep its times, as `rsync -a`, `tar` and `cp -a` do when they bring another version."""
    status, text = path.stat(), path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def all_files(folder, *parts):
    return [path for part in parts for path in sorted((folder / part).rglob("*")) if path.is_file()]


@pytest.mark.long(110)
@pytest.mark.workflow
def test_times_alone_make_nothing_again_and_never_fail_a_job(checkout):
    assert planned(checkout) == {}
    for number, path in enumerate(all_files(checkout, "results", "paper_figures", "config", "anytime_pruning")):
        when = (FUTURE, 1_000_000_000)[number % 2]
        os.utime(path, (when, when))
    assert planned(checkout) == {}
    edit_unnoticed(checkout / "config" / "claims.yaml", "\n", "\n\n")
    for path in all_files(checkout, "results/tiny/runs", "results/tiny/tables", "config"):
        os.utime(path, (FUTURE, FUTURE))
    done = snakemake(checkout)
    assert jobs(done, "check_claims") == 1
    assert jobs(done, "collect_runs") == jobs(done, "plot_figure") == jobs(done, "write_table") == 0
    # Another grid has to be collected from runs of the future.
    write_config(checkout, TINY | {"grid": TINY["grid"][:1]})
    done = snakemake(checkout)
    assert jobs(done, "train") == 0
    assert jobs(done, "collect_runs") == 1
    assert planned(checkout) == {}


@pytest.mark.workflow
def test_content_alone_decides_and_trains_nothing(checkout):
    metrics = next((checkout / "results").rglob("metrics.json"))
    drawn = {"collect_runs", "check_claims", "plot_figure", "write_table", "all"}
    for path, old, new in (
        (metrics, '"wall_time_s"', ' "wall_time_s"'),
        (checkout / "anytime_pruning" / "results" / "variants.py", '"""', '"""Edited. '),
        (checkout / "results" / "tiny" / "tables" / "layers.csv", ",", ", "),
    ):
        edit_unnoticed(path, old, new)
        assert set(planned(checkout)) == drawn, path
        edit_unnoticed(path, new, old)
        assert planned(checkout) == {}
    figure = checkout / "paper_figures" / "tiny" / "cost.md"
    edit_unnoticed(figure, "|", "!")
    assert planned(checkout) == {"write_table": 1, "all": 1}
    # A file is a target, too.
    assert planned(checkout, "paper_figures/tiny/cost.md") == {"write_table": 1}
    assert planned(checkout, "paper_figures/tiny/results.md") == {}
    edit_unnoticed(checkout / "anytime_pruning" / "training" / "trainer.py", '"""', '"""Edited. ')
    assert planned(checkout, "experiments") == {}


@pytest.mark.workflow
@pytest.mark.parametrize("target", ["all", "paper"])
def test_targets_name_what_they_stand_on(target, checkout):
    shutil.rmtree(checkout / "results" / "tiny" / "tables")
    assert planned(checkout, target)["collect_runs"] == 1
    shutil.rmtree(next((checkout / "results").rglob("metrics.json")).parent)
    made = planned(checkout, target)
    assert made["train"] == made["collect_runs"] == made["check_claims"] == 1
    assert made["plot_figure"] >= 2


@pytest.mark.workflow
def test_a_job_that_fails_leaves_what_it_would_have_replaced(checkout):
    before = {path: path.read_bytes() for path in all_files(checkout, "results/tiny/tables", "paper_figures")}
    claims, run = checkout / "config" / "claims.yaml", next((checkout / "results").rglob("metrics.json")).parent
    edit_unnoticed(claims, "claims", "climbs")
    edit_unnoticed(run / "metrics.json", '"wall_time_s"', ' "wall_time_s"')
    (run / "layers.csv").write_text("damaged\n")
    done = snakemake(checkout, "--keep-going")
    assert done.returncode == 1
    assert len(re.findall(r"^error: ", done.stderr, re.MULTILINE)) == 1, done.stderr
    done = snakemake(checkout, "--keep-going", "--forcerun", "check_claims")
    assert {path: path.read_bytes() for path in before} == before
    assert planned(checkout)["collect_runs"] == 1


@pytest.mark.workflow
def test_looking_writes_nothing(checkout, tmp_path):
    fresh = make_checkout(tmp_path / "fresh")
    before = {path: path.read_bytes() for path in all_files(checkout, "results", "paper_figures")}
    write_config(checkout, TINY | {"grid": TINY["grid"][:1]})
    for look in (["--dry-run"], ["--list-rules"], ["--summary"], ["--dag"]):
        for folder in (checkout, fresh):
            done = snakemake(folder, *look)
            assert done.returncode == 0, done.stderr
    assert {path: path.read_bytes() for path in all_files(checkout, "results", "paper_figures")} == before
    assert {path.name for path in fresh.iterdir()} <= {path.name for path in checkout.iterdir()} - {
        "results",
        "paper_figures",
        "data",
    }


def test_a_study_is_handed_over_as_one_short_word():
    grid = [{"method": "app", "lr": 0.001 + number * 1e-6, "note": "é 'x' $(y) {z}"} for number in range(3000)]
    word = pack(TINY | {"grid": grid})
    assert unpack(word) == TINY | {"grid": grid}
    assert re.fullmatch(r"[\w=-]+", word, re.ASCII)
    assert len(word) < 100_000  # a shell takes 128 KiB
    for wrong in ("nonsense", word[:-8], pack(["a list"])):
        with pytest.raises(SettingError, match="study: not a study that the Snakefile handed over"):
            unpack(wrong)


def test_data_is_waited_for_only_while_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = parse_settings({"dataset": "digits", "model": "resnet20"})
    (cache,) = runs_by_cache_file([settings])
    assert data_of_run(StudyPaths("tiny"), "a", settings) == [cache]
    (tmp_path / cache).parent.mkdir(parents=True)
    (tmp_path / cache).touch()
    assert data_of_run(StudyPaths("tiny"), "a", settings) == []
