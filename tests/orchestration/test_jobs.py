"""Test the environment of jobs: the package that jobs run, and the part of the host that a container sees."""

import os
import shlex
import subprocess
import sys

import pytest
from conftest import ROOT

import anytime_pruning
from anytime_pruning.orchestration.jobs import PASSED_INSIDE, prepare_jobs


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    """Provide an image and an apptainer that is never called, and restore the changed variables afterwards."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "apptainer").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "apptainer").chmod(0o755)
    (tmp_path / "image.sif").touch()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    for name in ("PYTHONPATH", "APPTAINER_BIND", *(f"APPTAINERENV_{name}" for name in PASSED_INSIDE)):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def install(folder, monkeypatch):
    """Make the package look as if pip had installed it, and return the package's folder."""
    package = folder / "site-packages" / "anytime_pruning"
    package.mkdir(parents=True)
    monkeypatch.setattr(anytime_pruning, "__file__", str(package / "__init__.py"))
    return package


def test_a_job_runs_this_package_from_any_folder_and_keeps_the_users_path(tmp_path, monkeypatch):
    (tmp_path / "anytime_pruning.py").write_text("raise SystemExit('not this one')\n")
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "sitecustomize.py").write_text("print('plugged in')\n")
    monkeypatch.setenv("PYTHONPATH", "plugins")
    command = prepare_jobs("image.sif", in_container=False)
    done = subprocess.run(["sh", "-c", f"{command} list"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("plugged in\n")
    assert os.environ["PATH"].startswith(os.path.dirname(sys.executable))
    # Jobs read the Snakefile again, so a second call must change nothing.
    assert prepare_jobs("image.sif", in_container=False) == command


def test_an_installed_package_needs_no_path(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch)
    assert prepare_jobs("", in_container=False) == "PYTHONSAFEPATH=1 python -m anytime_pruning"


def test_a_container_sees_a_checkout_that_lies_elsewhere(monkeypatch):
    monkeypatch.setenv("APPTAINER_BIND", "/data")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("PYTHONPATH", "of the host")
    for _ in range(2):
        command = prepare_jobs("image.sif", in_container=True)
        assert command == f"PYTHONSAFEPATH=1 PYTHONPATH={shlex.quote(str(ROOT))} python -m anytime_pruning"
        assert os.environ["APPTAINER_BIND"] == f"/data,{ROOT}"
    assert os.environ["APPTAINERENV_CUDA_VISIBLE_DEVICES"] == "1"


def test_a_container_sees_the_working_folder_anyway(monkeypatch):
    monkeypatch.chdir(ROOT)
    prepare_jobs("docker://image", in_container=True)
    assert "APPTAINER_BIND" not in os.environ


def test_a_container_sees_an_installed_package_and_not_its_neighbours(tmp_path, monkeypatch):
    package = install(tmp_path, monkeypatch)
    command = prepare_jobs("image.sif", in_container=True)
    assert command == "PYTHONSAFEPATH=1 PYTHONPATH=/opt/anytime-pruning python -m anytime_pruning"
    assert os.environ["APPTAINER_BIND"] == f"{package}:/opt/anytime-pruning/anytime_pruning"


def test_a_job_in_a_container_counts_and_computes_as_outside(monkeypatch):
    """Pass what decides the order of the GPUs, the algorithms, MPS and the caches, but not a folder of the host."""
    passed = {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_MPS_PIPE_DIRECTORY": "/tmp/my-mps",
        "CUDA_MPS_LOG_DIRECTORY": "/tmp/my-mps/log",
        "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": "25",
        "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT": "0=10G",
        "CUBLAS_WORKSPACE_CONFIG": ":16:8",
        "PYTORCH_ALLOC_CONF": "expandable_segments:True",
        "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:False",
        "CUDA_CACHE_PATH": "/scratch/compute",
        "TORCHINDUCTOR_CACHE_DIR": "/scratch/inductor",
        "TRITON_CACHE_DIR": "/scratch/kernels",
    }
    for name, value in passed.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TMPDIR", "/scratch/tmp")
    prepare_jobs("image.sif", in_container=True)
    assert {name: os.environ[f"APPTAINERENV_{name}"] for name in passed} == passed
    assert "APPTAINERENV_TMPDIR" not in os.environ
