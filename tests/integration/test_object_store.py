"""Test the workflow with all its files in S3 and no shared folder, and DVC with the same server: Moto, a pretend S3."""

import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from checkout import PARTS, TINY, call, jobs, make_checkout, write_config
from conftest import ROOT
from patience import PATIENCE_S
from ssh_server import closed_port

NEEDED = ("boto3", "dvc_s3", "flask_cors", "moto", "snakemake_executor_plugin_cluster_generic")
LACKING = [name for name in (*NEEDED, "snakemake_storage_plugin_s3") if find_spec(name) is None]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        bool(LACKING), reason=f"{', '.join(LACKING)} not installed: pip install -r envs/integration.txt"
    ),
]
BUCKET, PREFIX = "study-bucket", "app/"
STORE = (
    f"--default-storage-provider s3 --default-storage-prefix s3://{BUCKET}/{PREFIX[:-1]} --shared-fs-usage none".split()
)
STUDY = TINY | {"grid": TINY["grid"][:1]}
# Another machine has the sources, and shares no folder with the one that submits.
SUBMIT = """\
#!/bin/sh -e
for script; do :; done
machine=$(mktemp -d "{machines}/XXXXXX")
(cd "{checkout}"; cp -r {parts} "$machine")
cp "$script" "$machine/job.sh"
(cd "$machine"; sh job.sh >out 2>&1; echo $? >status) >/dev/null 2>&1 &
echo "$machine"
"""
STATUS = """\
#!/bin/sh
for machine; do :; done
case $(cat "$machine/status" 2>/dev/null) in 0) echo success;; "") echo running;; *) echo failed;; esac
"""


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """Start a server of S3, let all programs use it, and return a client."""
    import boto3

    folder, endpoint = tmp_path_factory.mktemp("s3"), f"http://127.0.0.1:{closed_port()}"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "HOME": str(folder),
            "DVC_SITE_CACHE_DIR": str(folder / "site"),
            "DVC_SYSTEM_CONFIG_DIR": str(folder / "system"),
            "AWS_ACCESS_KEY_ID": "pretend",
            "AWS_SECRET_ACCESS_KEY": "pretend",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": endpoint,
        }.items():
            patch.setenv(name, value)
        command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", endpoint.rpartition(":")[2]]
        with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
            client = boto3.client("s3", endpoint_url=endpoint)
            _wait_until(lambda: _answers(client), lambda: (folder / "log").read_text())
            yield client
            server.terminate()


def _answers(client) -> bool:
    from botocore.exceptions import EndpointConnectionError

    try:
        client.list_buckets()
    except EndpointConnectionError:
        return False
    return True


def _wait_until(is_true, explain) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.2)


def objects(s3) -> dict[str, int]:
    """Return the size of every object of the study by its path."""
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX) if BUCKET in _buckets(s3) else {}
    return {entry["Key"].removeprefix(PREFIX): entry["Size"] for entry in listed.get("Contents", [])}


def _buckets(s3) -> list[str]:
    return [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


def runs_in(s3) -> list[str]:
    return [path for path in objects(s3) if path.endswith("/metrics.json")]


def log_of(run: str) -> str:
    """Return the path of the log of a run, by that of its metrics.json; Snakemake stores it after the results."""
    return run.rpartition("/")[0].replace("/runs/", "/logs/") + ".log"


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return call(folder, "snakemake", *arguments, "--cores", "2", "--configfile", "config/tiny.yaml", *STORE)


def machine(folder: Path, study: dict) -> Path:
    """Make a machine that has the sources and nothing else."""
    make_checkout(folder)
    write_config(folder, study)
    return folder


@pytest.fixture(scope="module")
def finished(s3, tmp_path_factory):
    """Return a machine that finished a study in the bucket, which another machine had begun when it died."""
    first = machine(tmp_path_factory.mktemp("first") / "project", STUDY)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["snakemake", "--cores", "1", "--configfile", "config/tiny.yaml", *STORE]
    with (first / "out").open("w") as out:
        process = subprocess.Popen(
            command, cwd=first, env=os.environ | {"PATH": path}, stdout=out, stderr=out, start_new_session=True
        )
        _wait_until(
            lambda: any(log_of(run) in objects(s3) for run in runs_in(s3)) or process.poll() is not None,
            lambda: (first / "out").read_text(),
        )
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert len(runs_in(s3)) == 1, (first / "out").read_text()
    second = machine(tmp_path_factory.mktemp("second") / "project", STUDY)
    done = snakemake(second)
    assert "Study tiny: 2 runs, 1 of them to train." in done.stderr + done.stdout
    assert jobs(done, "train") == 1
    assert jobs(done, "prepare_data") == 0
    return second


def test_figures_come_from_machines_that_share_nothing_one_of_which_died(s3, finished):
    found = objects(s3)
    for run in runs_in(s3):
        folder = run.rpartition("/")[0]
        names = {path.removeprefix(f"{folder}/") for path in found if path.startswith(folder)}
        assert names == {"config.yaml", "megabatches.csv", "epochs.csv", "layers.csv", "metrics.json"}
        assert found[folder.replace("/runs/", "/checkpoints/") + "/weights.safetensors"] > 0
        assert found[log_of(run)] > 0
    for kind in ("pdf", "png", "csv"):
        assert found[f"paper_figures/tiny/layers-digits-resnet20-T2.{kind}"] > 0
    assert found["paper_figures/tiny/claims.html"] > 0
    assert not [name for name in ("results", "paper_figures", "data") if (finished / name).exists()]
    done = snakemake(finished)
    assert "Nothing to be done" in done.stderr + done.stdout


def download(s3, folder: Path) -> Path:
    for path in objects(s3):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(BUCKET, PREFIX + path, str(folder / path))
    return folder


def test_what_the_bucket_holds_verifies_and_is_current_in_a_checkout(s3, finished, tmp_path):
    checkout = download(s3, machine(tmp_path / "project", STUDY))
    done = call(checkout, "python", "-m", "anytime_pruning", "verify", "results/tiny")
    assert done.returncode == 0, done.stderr
    done = call(checkout, "snakemake", "experiments", "--dry-run", "--cores", "1", "--configfile", "config/tiny.yaml")
    assert "Nothing to be done" in done.stderr + done.stdout


def test_a_damaged_object_is_named_with_the_log_of_its_job(s3, finished):
    path = runs_in(s3)[0].replace("metrics.json", "layers.csv")
    right = s3.get_object(Bucket=BUCKET, Key=PREFIX + path)["Body"].read()
    time.sleep(1.1)  # the server's times are whole seconds
    s3.put_object(Bucket=BUCKET, Key=PREFIX + path, Body=right.replace(b",", b", ", 1))
    done = snakemake(finished, "results/tiny/tables/runs.csv")
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith(f"error: {path}: "), line
    assert "results/tiny/tables/runs.csv" not in objects(s3)  # the tables of before are not taken for those of now
    s3.put_object(Bucket=BUCKET, Key=PREFIX + path, Body=right)
    assert jobs(snakemake(finished, "results/tiny/tables/runs.csv"), "collect_runs") == 1


def test_a_job_on_another_machine_needs_the_bucket_alone(s3, finished, tmp_path):
    """Submit a job as Kubernetes' executor does: it starts with the sources and learns the rest from S3."""
    write_config(finished, STUDY | {"grid": [{"method": "app", "lr": 0.02, "seed": 0}]})
    for name, text in {"submit": SUBMIT, "status": STATUS}.items():
        script = tmp_path / name
        script.write_text(
            text.format(machines=tmp_path, checkout=finished, parts=" ".join(PARTS)) if "{" in text else text
        )
        script.chmod(0o755)
    before = runs_in(s3)
    arguments = [
        "--jobs",
        "1",
        "--executor",
        "cluster-generic",
        "--cluster-generic-submit-cmd",
        str(tmp_path / "submit"),
    ]
    done = snakemake(finished, "experiments", *arguments, "--cluster-generic-status-cmd", str(tmp_path / "status"))
    (elsewhere,) = [folder for folder in tmp_path.iterdir() if (folder / "out").exists()]
    assert jobs(done, "train") == 1, (elsewhere / "out").read_text()
    (new,) = set(runs_in(s3)) - set(before)
    assert f"Working directory: {elsewhere}" in (elsewhere / "out").read_text()
    folder = new.rpartition("/")[0].replace("/runs/", "/checkpoints/")
    assert f"{folder}/weights.safetensors" in objects(s3)
    assert not (finished / ".snakemake" / "storage" / "s3" / BUCKET / PREFIX / new).exists()


def test_dvc_pushes_to_s3_and_pulls_what_it_pushed(s3, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    weights = first / "results" / "tiny" / "checkpoints" / "weights.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(bytes(range(256)) * 4000)
    for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore"):
        (first / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, first / name)
    works(first, "git", "init", "--quiet")
    works(first, "dvc", "add", "results/tiny/checkpoints")
    works(first, "git", "add", "--all")
    works(first, "git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "--message", "x")
    s3.create_bucket(Bucket="dvc-bucket")
    use_remote(first)
    assert "2 files pushed" in works(first, "dvc", "push")
    works(first, "git", "clone", "--quiet", str(first), str(second))
    use_remote(second)
    (largest,) = [
        entry["Key"] for entry in s3.list_objects_v2(Bucket="dvc-bucket")["Contents"] if entry["Size"] > 100_000
    ]
    s3.put_object(Bucket="dvc-bucket", Key=largest, Body=weights.read_bytes()[:-1] + b"x")
    done = call(second, "dvc", "pull")
    assert done.returncode != 0
    assert not (second / weights.relative_to(first)).exists()
    s3.put_object(Bucket="dvc-bucket", Key=largest, Body=weights.read_bytes())
    works(second, "dvc", "pull")
    assert (second / weights.relative_to(first)).read_bytes() == weights.read_bytes()
    assert call(second, "dvc", "status", "--cloud").stdout.strip().endswith("in sync.")


def use_remote(folder: Path) -> None:
    """Write the address into the local settings, as the documentation says."""
    for key, value in {
        "url": "s3://dvc-bucket/anytime-pruning",
        "endpointurl": os.environ["SNAKEMAKE_STORAGE_S3_ENDPOINT_URL"],
    }.items():
        works(folder, "dvc", "remote", "modify", "--local", "storage", key, value)


def works(folder: Path, *arguments: str) -> str:
    """Return what a command prints; assert that the command succeeds."""
    done = call(folder, *arguments)
    assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
    return done.stdout
