"""Test the workflow on the Slurm to which this machine submits, with a node that has two real or simulated GPUs."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from checkout import DRAWN, TINY, jobs, make_checkout, metrics_files, write_config
from conftest import ROOT
from patience import PATIENCE_S

IMAGE = ROOT / "envs" / "anytime-pruning.sif"


def ask(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


partitions = ask("sinfo", "--noheader", "--format=%R %G")
pytestmark = [
    pytest.mark.long(350),
    pytest.mark.integration,
    pytest.mark.skipif(partitions.returncode != 0, reason=f"no Slurm answers sinfo: {partitions.stderr.strip()[:80]}"),
    pytest.mark.skipif("gpu:2" not in partitions.stdout, reason="no node of this Slurm has two GPUs"),
]

# Python runs this code when it starts. A job that trains writes a line when it starts and when it ends, with the GPU
# that Slurm gave it, and waits until both GPUs are in use. The first job is cancelled once it has a checkpoint.
WATCH = """
import atexit, os, signal, subprocess, sys, threading, time
from pathlib import Path

def say(event):
    with log.open("a") as file:
        file.write(f"{event} {os.environ.get('CUDA_VISIBLE_DEVICES')} {os.environ['SLURM_JOB_ID']}\\n")

def cancel():
    resume = Path(sys.orig_argv[sys.orig_argv.index("--out") + 1]) / "resume"
    while not list(resume.glob("*.json")):
        time.sleep(0.001)
    subprocess.run(["scancel", os.environ["SLURM_JOB_ID"]])
    os.kill(os.getpid(), signal.SIGSTOP)  # Slurm continues and ends the stopped process

if sys.orig_argv[1:4] == ["-m", "anytime_pruning", "train"]:
    log = Path(os.environ["WATCHED"])
    is_first = not log.exists()
    say("cancel" if is_first else "start")
    if is_first:
        threading.Thread(target=cancel, daemon=True).start()
    else:
        atexit.register(say, "end")
    patience = time.monotonic() + (0 if is_first else 600)
    while not all(f"start {gpu} " in log.read_text() for gpu in "01") and time.monotonic() < patience:
        time.sleep(0.1)
"""


def make_study(folder, grid=TINY["grid"], seeds=(0, 1)):
    """Make a checkout with the tiny study and a profile that asks for little memory."""
    make_checkout(folder)
    write_config(folder, TINY | {"grid": grid, "defaults": TINY["defaults"] | {"seed": list(seeds)}})
    edit_profile(folder, "mem_mb: 8000", "mem_mb: 1000")
    return folder


def edit_profile(folder, old, new):
    profile = folder / "profiles" / "slurm" / "config.yaml"
    assert old in profile.read_text()
    profile.write_text(profile.read_text().replace(old, new))


def snakemake(folder, *arguments, timeout=None, **environment):
    path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
    command = ["snakemake", *arguments, "--profile", "profiles/slurm", "--configfile", "config/tiny.yaml"]
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """Return a checkout, a call with a wrong partition, the files that this call left, and a correct call."""
    folder = make_study(tmp_path_factory.mktemp("slurm") / "project")
    (folder / "watch").mkdir()
    (folder / "watch" / "sitecustomize.py").write_text(WATCH)
    edit_profile(folder, "# slurm_partition: gpu ", "slurm_partition: nowhere ")
    wrong = snakemake(folder)
    left = (folder / "results").exists()
    edit_profile(folder, "slurm_partition: nowhere ", f"slurm_partition: {partitions.stdout.split()[0]} ")
    done = snakemake(folder, "experiments", *DRAWN, PYTHONPATH="watch", WATCHED=str(folder / "watch" / "log"))
    return folder, wrong, left, done


def test_a_partition_that_does_not_exist_is_one_line_before_any_job(studied):
    _, wrong, left, _ = studied
    assert wrong.returncode == 2
    (line,) = [line for line in wrong.stderr.splitlines() if "nowhere" in line or "error" in line.lower()]
    there = sorted({line.split()[0] for line in partitions.stdout.splitlines()})
    assert line == f"error: slurm_partition: 'nowhere' is not known; allowed: {', '.join(there)}"
    assert not left


def test_two_jobs_at_a_time_on_different_gpus_and_one_that_is_cancelled_is_submitted_again(studied):
    folder, _, _, done = studied
    assert jobs(done, "train") == 4
    assert len(metrics_files(folder)) == 4
    assert all((folder / figure).exists() for figure in DRAWN)
    events = [line.split() for line in (folder / "watch" / "log").read_text().splitlines()]
    holders, most = {}, 0
    for event, gpu, job in events[1:]:
        assert gpu in ("0", "1")
        if event == "start":
            assert gpu not in holders, events
            holders[gpu] = job
        else:
            assert holders.pop(gpu) == job, events
        most = max(most, len(holders))
    assert most == 2
    assert len({job for _, _, job in events[1:]}) == 4
    event, _, cancelled = events[0]
    assert event == "cancel"
    assert f"SLURM-job '{cancelled}' failed, SLURM status is: 'CANCELLED'" in done.stderr
    logs = [path.read_text() for path in (folder / "results" / "tiny" / "logs").rglob("seed*.log")]
    (resumed,) = [log for log in logs if "goes on from a checkpoint" in log]
    assert "megabatch 2/2" in resumed


def test_only_training_is_a_job_of_slurm(studied):
    """Count five submissions, because one of the four runs is submitted twice."""
    *_, done = studied
    submitted = re.findall(r"Job (\d+) has been submitted", done.stderr)
    trained = re.findall(r"Finished jobid: (\d+) \(Rule: train\)", done.stderr)
    assert len(submitted) == 5
    assert set(submitted) == set(trained)


def test_what_is_current_on_a_laptop_is_current_here_and_the_other_way_round(studied):
    folder, _, _, _ = studied
    assert "Nothing to be done" in snakemake(folder, "experiments", *DRAWN).stderr
    for path in folder.rglob("data/cache/*"):
        path.touch()
    shutil.rmtree(folder / ".snakemake")
    done = snakemake(folder, "experiments", "--executor", "local", "--cores", "1")
    assert "Nothing to be done" in done.stderr


def test_a_job_that_fails_is_reported_with_its_line_while_others_go_on(tmp_path):
    missing = {"method": "dense", "initial_weights": {"path": "nowhere.safetensors", "sha256": "0" * 64}}
    folder = make_study(tmp_path / "project", [*TINY["grid"][1:], missing], seeds=[0])
    # A minute passes from the failure to its report; before, the jobs are submitted and start.
    done = snakemake(folder, "experiments", "--retries", "0", timeout=PATIENCE_S)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert "error: initial_weights: nowhere.safetensors: No such file or directory" in lines
    assert len(metrics_files(folder)) == 1
    assert len(re.findall(r"\(Rule: train\)", done.stderr)) == 1


PROBE = """

rule probe:
    output:
        "probe.txt",
    resources:
        gpu=1,
    shell:
        "ls -d /.singularity.d > {output}; printenv CUDA_VISIBLE_DEVICES SLURM_JOB_ID >> {output}"
"""


@pytest.mark.skipif(
    not any(map(shutil.which, ("apptainer", "singularity"))), reason="neither apptainer nor singularity is installed"
)
@pytest.mark.skipif(not IMAGE.exists(), reason="no image: make image REQUIREMENTS=envs/requirements.txt")
def test_a_job_in_a_container_sees_its_gpu(tmp_path):
    folder = make_study(tmp_path / "project")
    (folder / "envs" / IMAGE.name).symlink_to(IMAGE)
    with (folder / "Snakefile").open("a") as file:
        file.write(PROBE)
    done = snakemake(folder, "probe", "--use-singularity", CUDA_VISIBLE_DEVICES="of the caller")
    assert done.returncode == 0, done.stderr
    (job,) = re.findall(r"submitted with SLURM jobid (\d+)", done.stderr)
    inside, gpu, number = (folder / "probe.txt").read_text().split()
    assert (inside, number) == ("/.singularity.d", job)
    assert gpu in ("0", "1")
