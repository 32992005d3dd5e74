"""Test that a workflow that is killed or interrupted several times trains every run once, to the same bits."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from checkout import TINY, call, make_checkout, write_config
from conftest import without_times
from faulty_runs import TABLES
from patience import PATIENCE_S

pytestmark = [pytest.mark.long(180), pytest.mark.integration]

DEFAULTS = TINY["defaults"] | {"epochs": 3, "train_limit": 100, "precision": "float32"}
STUDY = TINY | {"defaults": DEFAULTS, "execution": {"device": "cpu", "checkpoint_share": 1}}
# The study has 4 runs of 2 megabatches with 3 epochs each.
EPOCHS = 4 * 2 * 3
# This code is added to a module that every job imports. Each job and each trained epoch then writes a line, and each
# epoch takes SECONDS longer, so that processes of several workflows meet. Jobs older than the file `hold` wait for its
# end. Younger ones do not, because a call may begin with runs that no earlier job trains.
WATCH = """
import os

_began = time.time()


def _is_held():
    try:
        return os.stat("hold").st_mtime > _began
    except FileNotFoundError:
        return False


with open("started", "a") as file:
    file.write("a job\\n")
_epoch_done = Checkpointer.epoch_done


def _watched(self, epoch):
    with open("trained", "a") as file:
        file.write(f"{self._options.files.folder.parent} {epoch.t} {epoch.epoch}\\n")
    time.sleep(SECONDS)
    while _is_held():
        time.sleep(0.05)
    _epoch_done(self, epoch)


Checkpointer.epoch_done = _watched
"""
WAITS = "waiting for another process"
COMMAND = ("snakemake", "experiments", "--cores", "2", "--configfile", "config/tiny.yaml")


def make_study(folder, watched=None):
    make_checkout(folder)
    write_config(folder, STUDY)
    if watched is not None:
        with (folder / "anytime_pruning" / "runs" / "checkpointing" / "checkpointer.py").open("a") as file:
            file.write(WATCH.replace("SECONDS", str(watched)))
    return folder


def start(folder):
    """Start the workflow in a process group of its own, as a terminal does."""
    path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
    output = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    # A shell makes a process in its background ignore SIGINT, so `env` restores the usual reaction.
    command = ("env", "--default-signal=INT", *COMMAND)
    return subprocess.Popen(command, cwd=folder, env=os.environ | {"PATH": path}, start_new_session=True, **output)


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def trained(folder):
    """Return a line for each time that any process trained an epoch."""
    return lines(folder / "trained")


def start_until(folder, n_epochs):
    """Start the workflow; wait until it has started a job and all processes together have trained `n_epochs`.

    Jobs of an earlier call that are held are released when a job of this call waits for them.
    """
    n_started, hold = len(lines(folder / "started")), folder / "hold"
    process = start(folder)
    end = time.monotonic() + PATIENCE_S
    while hold.exists() and WAITS not in logs(folder):
        assert process.poll() is None
        assert time.monotonic() < end, "no job waits for one of an earlier call"
        time.sleep(0.05)
    hold.unlink(missing_ok=True)
    while len(trained(folder)) < n_epochs or len(lines(folder / "started")) == n_started:
        assert process.poll() is None, (n_epochs, trained(folder))
        time.sleep(0.05)
    return process


def logs(folder):
    return "".join(path.read_text() for path in folder.glob("results/tiny/logs/**/*.log"))


def results(folder):
    """Return weights and tables of each run without times; assert that no checkpoint or partial file is left."""
    root = folder / "results" / "tiny"
    found = {
        str(path.relative_to(root)): without_times(path) if path.suffix == ".csv" else path.read_bytes()
        for path in root.rglob("*")
        if path.name in (*TABLES, "weights.safetensors") and path.parent != root
    }
    assert len(found) == 16
    assert not [path for path in root.rglob("*") if path.name == "resume" or ".partial" in path.name]
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = make_study(tmp_path_factory.mktemp("undisturbed") / "project")
    done = call(folder, *COMMAND)
    assert done.returncode == 0, done.stderr
    return results(folder)


def test_a_workflow_that_is_killed_five_times_trains_every_run_once(undisturbed, tmp_path):
    """Kill Snakemake alone, so that its jobs go on and meet the jobs of the next call, which starts at once."""
    folder = make_study(tmp_path / "project", watched=2)
    for n_epochs in (2, 5, 9, 14, 19):
        process = start_until(folder, n_epochs)
        if n_epochs == 2:
            (folder / "hold").touch()
        process.kill()
        assert process.wait() == -signal.SIGKILL
        assert call(folder, *COMMAND, "--unlock").returncode == 0
    done = call(folder, *COMMAND)
    assert done.returncode == 0, done.stderr
    assert set(Counter(trained(folder)).values()) == {1}
    assert len(trained(folder)) == EPOCHS
    assert results(folder) == undisturbed
    assert "Nothing to be done" in call(folder, *COMMAND).stderr


def test_a_second_call_says_who_works_here_and_advises_to_unlock_only_when_nobody_does(tmp_path):
    folder = make_study(tmp_path / "project", watched=3600)
    process = start_until(folder, 1)
    try:
        second = call(folder, *COMMAND)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    third = call(folder, *COMMAND)
    for done in (second, third):
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
    (line,) = [line for line in second.stderr.splitlines() if "error" in line.lower()]
    assert line.startswith(f"error: snakemake: another call is making these files (process {process.pid} of ")
    assert "--unlock" not in second.stderr
    assert "--unlock" in third.stderr


def test_a_workflow_that_is_interrupted_goes_on_where_its_jobs_stood(undisturbed, tmp_path):
    """Send every process of the terminal the signal of Ctrl-C, and later the signal of a shutdown."""
    folder = make_study(tmp_path / "project", watched=0.5)
    for n_epochs, number in ((3, signal.SIGINT), (9, signal.SIGTERM)):
        process = start_until(folder, n_epochs)
        os.killpg(process.pid, number)
        assert process.wait(timeout=PATIENCE_S) != 0
        assert f"interrupted by {number.name}; kept at megabatch" in logs(folder)
    done = call(folder, *COMMAND)
    assert done.returncode == 0, done.stderr
    assert "goes on from a checkpoint" in logs(folder)
    assert set(Counter(trained(folder)).values()) == {1}
    assert results(folder) == undisturbed
