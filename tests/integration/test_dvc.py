"""Test the stages of dvc.yaml on a tiny study in a git checkout, with a folder and a real SSH server as remotes."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from checkout import TINY, call, jobs, make_checkout, metrics_files, write_config
from conftest import ROOT
from ssh_server import SSHD, SSHServer, closed_port

DVC = Path(sys.executable).parent / "dvc"
RUNS, STAGES = 4, ("experiments@tiny", "paper@tiny")
STREAM = "digits_60_of_1437_images-resnet20-T2"
pytestmark = [
    pytest.mark.long(260),
    pytest.mark.integration,
    pytest.mark.skipif(not DVC.exists(), reason="dvc is not installed: pip install -r envs/dvc.txt"),
]


@pytest.fixture(scope="module", autouse=True)
def nothing_of_this_user(tmp_path_factory):
    """Hide the configuration, keys and agent of the user who runs the tests, and keep DVC's cache apart."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("DVC_SITE_CACHE_DIR", str(home / "site"))
        patch.setenv("DVC_SYSTEM_CONFIG_DIR", str(home / "system"))
        patch.delenv("SSH_AUTH_SOCK", raising=False)
        yield


def dvc(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return call(folder, "dvc", *arguments)


def works(folder: Path, *arguments: str) -> str:
    """Return what a command prints; assert that the command succeeds."""
    done = call(folder, *arguments)
    assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
    return done.stdout


def commit(folder: Path) -> None:
    works(folder, "git", "add", "--all")
    works(folder, "git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "--message", "x")


def make_dvc_checkout(folder: Path) -> Path:
    """Make a git checkout with the dvc.yaml of the project, in whose lists the tiny study replaces all others."""
    folder.mkdir()
    make_checkout(folder)
    for name in (".dvc/config", ".dvc/.gitignore", ".dvc/plots/series.json", ".dvcignore", "dvc.yaml", ".gitignore"):
        text = (ROOT / name).read_text().replace("cifar100-resnet20-T8", "digits-resnet20-T2")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        text = re.sub(r"study: \[.*\]", "study: [tiny]", text)
        (folder / name).write_text(text.replace("cifar100", "tiny"))
    assert "tiny" in (folder / "dvc.yaml").read_text()
    works(folder, "git", "init", "--quiet")
    commit(folder)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a checkout after its first `dvc repro`, with results in git and weights in DVC's cache."""
    folder = make_dvc_checkout(tmp_path_factory.mktemp("dvc") / "project")
    done = dvc(folder, "repro")
    assert jobs(done, "train") == RUNS
    works(folder, "dvc", "add", "results/tiny/checkpoints")
    commit(folder)
    return folder


def clone_of(folder: Path, where: Path) -> Path:
    works(folder, "git", "clone", "--quiet", str(folder), str(where))
    return where


@pytest.fixture
def clone(trained, tmp_path):
    return clone_of(trained, tmp_path / "clone")


def weights(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of weights by its path."""
    root = folder / "results" / "tiny" / "checkpoints"
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_second_repro_does_nothing(trained):
    before = metrics_files(trained), weights(trained)
    done = dvc(trained, "repro")
    assert done.returncode == 0, done.stderr
    for stage in (*STAGES, "whole-paper"):
        assert f"Stage '{stage}' didn't change, skipping" in done.stdout
    assert "Running stage" not in done.stdout
    assert (metrics_files(trained), weights(trained)) == before
    assert works(trained, "git", "status", "--porcelain") == ""


def test_a_fresh_clone_finds_the_study_in_git_current(clone):
    lock = (clone / "dvc.lock").read_bytes()
    done = dvc(clone, "repro")
    assert done.returncode == 0, done.stderr
    assert "Running stage" not in done.stdout
    assert works(clone, "git", "status", "--porcelain") == ""
    assert (clone / "dvc.lock").read_bytes() == lock
    # Neither data nor weights were fetched or asked for.
    assert not (clone / "data").exists()
    assert not weights(clone)


def test_tables_that_were_removed_are_made_again(clone):
    shutil.rmtree(clone / "results" / "tiny" / "tables")
    done = dvc(clone, "repro")
    assert jobs(done, "train") == 0
    assert jobs(done, "collect_runs") == 1
    assert works(clone, "git", "status", "--porcelain") == ""
    assert "Running stage" not in works(clone, "dvc", "repro")


def test_one_more_run_in_the_grid_is_the_one_that_trains(clone):
    before = metrics_files(clone)
    more = {"method": "app", "lr": 0.02, "seed": 0}
    write_config(clone, TINY | {"grid": [*TINY["grid"], more]})
    done = dvc(clone, "repro")
    assert jobs(done, "train") == 1
    after = metrics_files(clone)
    assert len(after) == RUNS + 1
    assert all(after[name] == before[name] for name in before)
    assert "Running stage" not in works(clone, "dvc", "repro")
    changed = {line[3:].split("/")[0] for line in works(clone, "git", "status", "--porcelain").splitlines()}
    assert changed == {"config", "dvc.lock", "results", "paper_figures"}
    params = json.loads(works(clone, "dvc", "params", "diff", "--json"))
    assert "'lr': 0.02" in params["config/tiny.yaml"]["grid"]["new"]
    metrics = json.loads(works(clone, "dvc", "metrics", "diff", "--json"))
    added = [path for path, diff in metrics.items() if diff["test_acc_pct"]["old"] is None]
    assert added == [f"results/tiny/metrics/{STREAM}-paper-app-snip-lr=0.02.json"]


def test_metrics_and_plots_say_something(trained):
    shown = json.loads(works(trained, "dvc", "metrics", "show", "--json"))[""]["data"]
    series = {Path(path).name: entry["data"] for path, entry in shown.items()}
    assert set(series) == {f"{STREAM}-paper-{name}.json" for name in ("app-snip", "dense-none")}
    assert all(0 < data["test_acc_pct"] <= 100 and data["seeds"] == 2 for data in series.values())
    assert series[f"{STREAM}-paper-dense-none.json"]["density"] == 1
    works(trained, "dvc", "plots", "show", "--out", "plots")
    page = (trained / "plots" / "index.html").read_text()
    shutil.rmtree(trained / "plots")
    assert "Test accuracy (%) after each megabatch" in page
    assert page.count('"t": "2"') == 2 * RUNS  # two plots show the last megabatch of each run
    assert "short.png" in page


def test_the_papers_study_waits_until_it_is_unfrozen(clone):
    plan = works(clone, "dvc", "repro", "--dry", "whole-paper")
    assert "snakemake" not in plan
    works(clone, "dvc", "unfreeze", "whole-paper")
    plan = works(clone, "dvc", "repro", "--dry", "whole-paper")
    assert "snakemake experiments --cores all --resources gpu=1 --configfile config/paper.yaml" in plan


def test_the_lock_in_git_is_in_step_with_the_results_in_git():
    """Find no change, because otherwise `dvc repro` in a fresh clone would draw again, or train."""
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]
    assert "experiments@starts" in lock
    assert json.loads(works(ROOT, "dvc", "status", "--json", *lock)) == {}, "if these changes are right: dvc commit"


@pytest.fixture(scope="module")
def ssh_server(tmp_path_factory):
    if not SSHD.exists():
        pytest.skip(f"OpenSSH's server is not installed: no {SSHD} (apt-get install openssh-server)")
    server = SSHServer(tmp_path_factory.mktemp("ssh"))
    yield server
    server.stop()


@pytest.fixture(scope="module", params=["folder", "ssh"])
def remote(request, trained, tmp_path_factory):
    """Return the local settings of a remote that holds the weights, and the folder in which the remote keeps them."""
    if request.param == "folder":
        store = tmp_path_factory.mktemp("remote") / "store"
        settings = {"url": str(store)}
    else:
        server = request.getfixturevalue("ssh_server")
        store = server.folder / "store"
        settings = {"url": server.url, "keyfile": str(server.folder / "right")}
    use_remote(trained, settings)
    assert "5 files pushed" in works(trained, "dvc", "push")
    assert dvc(trained, "status", "--cloud").stdout.strip().endswith("in sync.")
    return settings, store


def use_remote(folder: Path, settings: dict[str, str]) -> None:
    for key, value in settings.items():
        works(folder, "dvc", "remote", "modify", "--local", "storage", key, value)
    assert works(folder, "git", "status", "--porcelain") == ""  # local settings stay out of git


def check_nothing_came(done: subprocess.CompletedProcess, folder: Path, message: str) -> None:
    """Assert that the command failed, gave the reason without a traceback, and left nothing half-written."""
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not weights(folder)
    assert works(folder, "git", "status", "--porcelain") == ""


def test_weights_come_back_as_they_were(remote, trained, clone):
    use_remote(clone, remote[0])
    works(clone, "dvc", "pull")
    assert weights(clone) == weights(trained)
    assert len(weights(clone)) == RUNS
    assert "Running stage" not in works(clone, "dvc", "repro")


def test_a_corrupted_object_is_noticed_and_a_right_one_taken(remote, trained, clone, tmp_path):
    settings, store = remote
    largest = max((path for path in store.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    right = largest.read_bytes()
    largest.chmod(0o644)
    largest.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    use_remote(clone, settings)
    try:
        check_nothing_came(dvc(clone, "pull"), clone, "failed to pull data from the cloud")
    finally:
        largest.write_bytes(right)
    works(clone, "dvc", "pull")
    assert weights(clone) == weights(trained)


@pytest.mark.parametrize("wrong", ["closed port", "key that is not authorized"])
def test_a_remote_that_cannot_be_used_is_said_and_the_next_call_recovers(wrong, ssh_server, trained, clone):
    right = {"url": ssh_server.url, "keyfile": str(ssh_server.folder / "right")}
    bad, message = {
        "closed port": (
            {"url": ssh_server.url.replace(f":{ssh_server.port}", f":{closed_port()}")},
            "Connect call failed",
        ),
        "key that is not authorized": ({"keyfile": str(ssh_server.folder / "wrong")}, "Permission denied"),
    }[wrong]
    use_remote(clone, right | bad)
    check_nothing_came(dvc(clone, "pull"), clone, message)
    use_remote(trained, right | bad)
    done = dvc(trained, "push")
    assert done.returncode != 0
    assert message in done.stderr
    for folder in (trained, clone):
        use_remote(folder, right)
    works(trained, "dvc", "push")
    works(clone, "dvc", "pull")
    assert weights(clone) == weights(trained)
