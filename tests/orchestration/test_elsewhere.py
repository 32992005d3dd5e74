"""Test the workflow of a checkout that lies elsewhere: results land in the folder in which Snakemake works."""

import shutil
from pathlib import Path

import pytest
import yaml
from checkout import TINY, call, jobs, make_checkout

pytestmark = pytest.mark.workflow
ONE_RUN = TINY | {"defaults": TINY["defaults"] | {"seed": 0}, "grid": TINY["grid"][:1]}
FILES = ("paper_figures/tiny/framework.pdf", "paper_figures/tiny/results.md")
MODULE = """
module app:
    snakefile: {snakefile!r}
{config}
use rule * from app as app_*
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """Make a checkout without .git, and return a symbolic link to the checkout in a path with a space."""
    folder = tmp_path_factory.mktemp("of somebody else")
    (folder / "link").symlink_to(make_checkout(folder / "project"))
    return folder / "link"


@pytest.fixture(scope="module")
def elsewhere(checkout, tmp_path_factory):
    """Run a study of one run in a folder of its own, and return the folder and the finished call."""
    folder = tmp_path_factory.mktemp("of one's own")
    (folder / "study.yaml").write_text(yaml.safe_dump(ONE_RUN))
    # The working folder holds a package of the same name, which did not plan the runs and must not be imported.
    (folder / "anytime_pruning").mkdir()
    (folder / "anytime_pruning" / "__init__.py").write_text("raise SystemExit('not this one')\n")
    options = ["--cores", "2", "--configfile", str(folder / "study.yaml")]
    targets = ["experiments", *FILES]
    return folder, call(Path("/"), "snakemake", *targets, "-s", f"{checkout}/Snakefile", "-d", str(folder), *options)


def files_in(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_results_land_in_the_working_folder(checkout, elsewhere):
    folder, done = elsewhere
    assert jobs(done, "train") == 1
    assert {jobs(done, rule) for rule in ("prepare_data", "collect_runs", "plot_figure", "write_table")} == {1}
    assert len(list(folder.glob("results/tiny/runs/**/metrics.json"))) == 1
    assert all((folder / file).is_file() for file in FILES)
    assert not {"results", "paper_figures", "data", ".snakemake"} & {path.name for path in checkout.iterdir()}


def test_a_module_of_another_workflow_takes_results_up_and_draws(checkout, elsewhere, tmp_path):
    for part in ("results", "paper_figures"):
        shutil.copytree(elsewhere[0] / part, tmp_path / part)
    (tmp_path / FILES[1]).unlink()
    text = MODULE.format(snakefile=f"{checkout}/Snakefile", config="    config: config")
    (tmp_path / "Snakefile").write_text(f"configfile: 'study.yaml'\n{text}")
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(ONE_RUN))
    done = call(tmp_path, "snakemake", "app_experiments", *FILES, "--cores", "2", "--rerun-triggers", "mtime")
    assert jobs(done, "app_write_table") == 1
    assert jobs(done, "app_train") == 0
    assert not (tmp_path / "data").exists()


def test_a_module_without_a_configuration_is_the_demonstration(checkout, tmp_path):
    (tmp_path / "Snakefile").write_text(MODULE.format(snakefile=f"{checkout}/Snakefile", config=""))
    done = call(tmp_path, "snakemake", "app_all", "--cores", "2", "--dry-run", "--quiet", "rules")
    assert done.returncode == 0, done.stderr
    assert "Study demo: 38 runs, 38 of them to train." in done.stdout + done.stderr


def test_a_mistake_in_a_module_is_an_error_of_snakemakes_own_kind(checkout, tmp_path):
    config = f"    config: {ONE_RUN | {'study': '../up'}!r}"
    (tmp_path / "Snakefile").write_text(MODULE.format(snakefile=f"{checkout}/Snakefile", config=config))
    done = call(tmp_path, "snakemake", "--cores", "2")
    assert done.returncode == 1
    first, second, *_ = done.stderr[done.stderr.index("WorkflowError") :].splitlines()
    assert first.startswith("WorkflowError in file ")
    assert second.startswith("error: study: '../up' is not allowed")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()
