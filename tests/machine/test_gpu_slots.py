import os
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from checkout import call
from conftest import ROOT
from patience import PATIENCE_S
from warm_python import warm_python

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.machine import gpu_slots
from anytime_pruning.machine.gpu_slots import claim_device, claim_slot

GPUS = ["gpu-a", "gpu-b"]


def work(folder, slots, log, seconds, names=GPUS, together=1):
    """Hold a slot for some seconds, and at least until `together` jobs have taken one, however slowly they start."""
    folder, log = Path(folder), Path(log)
    with claim_slot(names, slots, folder, log.name) as place:
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"{time.monotonic()} take {place}\n")
        patience = time.monotonic() + PATIENCE_S
        while log.read_text().count("take") < together and time.monotonic() < patience:
            time.sleep(0.05)
        time.sleep(seconds)
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"{time.monotonic()} leave {place}\n")


def start(count, folder, slots, log, *others):
    code = f"from test_gpu_slots import work; work({str(folder)!r}, {slots}, {str(log)!r}, *{others})"
    path = os.pathsep.join(map(str, (ROOT, ROOT / "tests", ROOT / "tests" / "machine")))
    command, environment = (warm_python(), "-c", code), os.environ | {"PYTHONPATH": path}
    return [subprocess.Popen(command, env=environment) for _ in range(count)]


def test_no_more_jobs_than_slots_share_a_gpu(tmp_path):
    """Start eight jobs on two pretend GPUs with two slots each; never more than two share one, and both are used."""
    log = tmp_path / "log"
    for job in start(8, tmp_path / "slots", 2, log, 0.2, GPUS, 4):
        assert job.wait(PATIENCE_S) == 0
    inside = [0, 0]
    most = [0, 0]
    for line in sorted(log.read_text().splitlines(), key=lambda line: float(line.split()[0])):
        _, event, place = line.split()
        inside[int(place)] += 1 if event == "take" else -1
        most[int(place)] = max(most[int(place)], inside[int(place)])
    assert len(log.read_text().splitlines()) == 16
    assert most == [2, 2]


@pytest.mark.parametrize(
    ("ended", "following"),
    [
        ([], [1]),
        ([0, 3], [1, 0, 1]),  # of A0, B0, A1, B1, A2 the first run on A and the second on B end
        ([0, 2], [0, 0, 1]),
        ([1, 3], [1, 1, 1]),
        ([0, 2, 4], [0, 0, 0, 1]),
    ],
)
def test_the_gpu_with_fewer_runs_comes_first_whichever_of_its_slots_are_free(ended, following, tmp_path):
    claims = [claim_slot(GPUS, 3, tmp_path, "a run") for _ in range(9)]
    assert [claim.__enter__() for claim in claims[:5]] == [0, 1, 0, 1, 0]
    for number in ended:
        claims[number].__exit__(None, None, None)
    assert [claim.__enter__() for claim in claims[5 : 5 + len(following)]] == following
    for number in {*range(5 + len(following))} - {*ended}:
        claims[number].__exit__(None, None, None)


def test_a_killed_job_frees_its_slot(tmp_path):
    log = tmp_path / "log"
    (job,) = start(1, tmp_path / "slots", 1, log, 600)
    while not log.exists() or not log.read_text():
        assert job.poll() is None
        time.sleep(0.05)
    (_, _, taken) = log.read_text().split()
    job_b = start(1, tmp_path / "slots", 1, tmp_path / "log_b", 600)[0]
    while not (tmp_path / "log_b").exists() or not (tmp_path / "log_b").read_text():
        time.sleep(0.05)
    job.kill()
    assert job.wait() == -signal.SIGKILL
    with claim_slot(GPUS, 1, tmp_path / "slots", "a run") as place:
        assert place == int(taken)
    job_b.kill()
    job_b.wait()


def test_who_is_killed_while_waiting_takes_nothing_along(tmp_path, capfd):
    said = ""
    with claim_slot(["gpu"], 1, tmp_path / "slots", "a run"):
        (job,) = start(1, tmp_path / "slots", 1, tmp_path / "log", 600, ["gpu"])
        while "waiting" not in said:
            assert job.poll() is None
            said += capfd.readouterr().out
            time.sleep(0.05)
        job.kill()
        job.wait()
    with claim_slot(["gpu"], 1, tmp_path / "slots", "a run") as place:
        assert place == 0
    assert not (tmp_path / "log").exists()


def test_who_has_to_wait_is_told(tmp_path, capsys, monkeypatch):
    waits = []
    with claim_slot(["gpu"], 1, tmp_path, "a run") as _:
        monkeypatch.setattr(gpu_slots.time, "sleep", lambda seconds: waits.append(seconds) or 1 / 0)
        with pytest.raises(ZeroDivisionError), claim_slot(["gpu"], 1, tmp_path, "a run"):
            raise AssertionError("the slot was taken twice")
    assert waits == [gpu_slots.POLL_S]
    said = capsys.readouterr().out
    assert said.startswith(
        f"waiting for one of 1 GPU slots (execution.gpu_slots: 1), held by: process {os.getpid()} of "
    )
    assert said.endswith(", for a run\n")
    assert said.count("\n") == 1


def test_an_error_of_the_run_is_not_one_of_its_slot(tmp_path):
    with pytest.raises(OSError, match=r"^disk full$"), claim_slot(["gpu"], 1, tmp_path, "a run"):
        raise OSError("disk full")


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path):
    (tmp_path / "slots").write_text("somebody else's")
    message = f"^{tmp_path}/slots: this folder, where runs lock their GPUs, cannot be used: File exists; it has to be"
    with pytest.raises(SettingError, match=message), claim_slot(GPUS, 1, tmp_path / "slots", "a run"):
        pass


@pytest.fixture
def pretend_gpus(tmp_path, monkeypatch):
    """Pretend two GPUs whose locks are in a folder of the test, and fail instead of waiting."""

    def wait(seconds):
        raise AssertionError("no slot is free")

    monkeypatch.setattr(gpu_slots, "choose_device", torch.device)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda gpu: SimpleNamespace(uuid=GPUS[gpu]))
    monkeypatch.setattr(gpu_slots, "LOCKS", tmp_path)
    monkeypatch.setattr(gpu_slots, "is_mps_on", lambda gpu: None)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr(gpu_slots.time, "sleep", wait)


def test_a_run_takes_the_gpu_that_has_most_free_slots(pretend_gpus):
    with (
        claim_device("cuda", 2, "a run") as first,
        claim_device("cuda", 2, "a run") as second,
        claim_device("cuda", 2, "a run") as third,
    ):
        assert [first.index, second.index, third.index] == [0, 1, 0]
        with claim_device("cuda:1", 2, "a run") as named:
            assert named.index == 1


def test_jobs_of_slurm_wait_only_for_each_other(pretend_gpus, monkeypatch):
    """Slurm assigned each job its GPUs; the runs of one job share them as they do without Slurm."""
    with claim_device("cuda:0", 1, "a run"), claim_device("cuda:1", 1, "a run"):
        for job in ("7", "8"):
            monkeypatch.setenv("SLURM_JOB_ID", job)
            with claim_device("cuda", 1, "a run") as first, claim_device("cuda", 1, "a run") as second:
                assert [first.index, second.index] == [0, 1]


def test_runs_with_different_folders_for_temporary_files_share_the_slots(pretend_gpus, tmp_path, monkeypatch):
    """Check what a container does to its jobs: it takes TMPDIR away."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with claim_device("cuda", 1, "a run") as first:
        monkeypatch.delenv("TMPDIR")
        monkeypatch.setattr(tempfile, "tempdir", None)
        with claim_device("cuda", 1, "a run") as second:
            assert [first.index, second.index] == [0, 1]
    assert not list((tmp_path / "scratch").iterdir())


def test_the_runs_of_all_users_find_the_same_locks(pretend_gpus, tmp_path):
    with claim_device("cuda:0", 1, "a run"):
        (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
        assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
        assert [stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()] == [0o666]


@pytest.mark.parametrize("obstacle", ["a file", "a link", "a private folder"])
def test_something_else_in_the_place_of_the_shared_folder_is_said(obstacle, pretend_gpus, tmp_path, capsys):
    shared, elsewhere = tmp_path / "anytime-pruning-slots", tmp_path / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o1777)
    make = {"a file": shared.touch, "a link": lambda: shared.symlink_to(elsewhere), "a private folder": shared.mkdir}
    make[obstacle]()
    with claim_device("cuda:0", 1, "a run") as first, claim_device("cuda:1", 1, "a run") as second:
        assert (first.index, second.index) == (0, 1)
    said = capsys.readouterr().err
    assert said.startswith(
        f"warning: GPU slots are shared with your own runs alone, because {shared} is not a folder of"
    )
    assert list(elsewhere.iterdir()) == []
    own = tmp_path / f"anytime-pruning-slots-{os.getuid()}"
    assert stat.S_IMODE(own.stat().st_mode) == 0o700


def test_a_folder_of_ones_own_that_is_somebody_elses_is_refused(pretend_gpus, tmp_path, monkeypatch):
    (tmp_path / "anytime-pruning-slots").touch()
    stranger = os.getuid() + 1
    (tmp_path / f"anytime-pruning-slots-{stranger}").mkdir()
    monkeypatch.setattr(gpu_slots.os, "getuid", lambda: stranger)
    message = f"slots-{stranger}: this folder, where runs lock their GPUs, cannot be used: it belongs to another user"
    with pytest.raises(SettingError, match=message), claim_device("cuda:0", 1, "a run"):
        pytest.fail("entered")


@pytest.mark.parametrize(
    ("slots", "mps", "is_said"), [(1, False, False), (2, True, False), (2, None, False), (2, False, True)]
)
def test_slots_that_only_share_time_are_said(slots, mps, is_said, pretend_gpus, monkeypatch, capsys):
    monkeypatch.setattr(gpu_slots, "is_mps_on", lambda gpu: mps)
    with claim_device("cuda", slots, "a run"):
        assert capsys.readouterr().err == is_said * (
            "warning: execution.gpu_slots: without NVIDIA's MPS, 2 runs take turns on a GPU instead of computing side "
            "by side; start it with nvidia-cuda-mps-control -d\n"
        )


WORKFLOW = """
rule all:
    input:
        expand("done/{job}", job=range(6)),

rule work:
    output:
        "done/{job}",
    shell:
        "python -m job {wildcards.job} && touch {output}"
"""
# Each job appends its events to one file while it holds the slot, so the lines are in the order of the events. A job
# stays until both GPUs were in use. The first two jobs are killed at their first attempt, while they hold their slots.
JOB = f"""
import os, signal, sys, time
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from anytime_pruning.machine.gpu_slots import claim_slot

job, log = sys.argv[1], Path("log")

def say(event):
    with log.open("a") as file:
        file.write(f"{{event}} {{place}} {{job}}\\n")

with claim_slot(["0", "1"], 1, Path("slots"), job) as place:
    say("take")
    if job in "01" and not Path("killed" + job).exists():
        Path("killed" + job).touch()
        say("leave")
        os.kill(os.getpid(), signal.SIGKILL)
    patience = time.monotonic() + {PATIENCE_S}
    while not all(f"take {{gpu}}" in log.read_text() for gpu in "01") and time.monotonic() < patience:
        time.sleep(0.05)
    time.sleep(0.3)
    say("leave")
"""


@pytest.mark.workflow
def test_jobs_of_snakemake_share_gpus_without_overlap_and_who_is_killed_frees_his(tmp_path):
    """Start six jobs at once on two pretend GPUs; if killed jobs kept their slots, no slot would be left."""
    (tmp_path / "Snakefile").write_text(WORKFLOW)
    (tmp_path / "job.py").write_text(JOB)
    done = call(tmp_path, "snakemake", "--cores", "6", "--retries", "1")
    assert done.returncode == 0, done.stderr
    holders = {}
    events = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    for event, place, job in events:
        if event == "take":
            assert place not in holders, events
            holders[place] = job
        else:
            assert holders.pop(place) == job, events
    assert not holders
    assert {place for _, place, _ in events} == {"0", "1"}
    assert sorted(job for event, _, job in events if event == "take") == sorted("00112345")
