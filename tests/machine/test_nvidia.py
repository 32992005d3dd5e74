"""Test what is said where NVIDIA's driver finds a GPU and torch does not."""

import ctypes
import os
import subprocess
import sys
import warnings

import pytest
import torch
from conftest import ROOT

from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.machine import devices, nvidia
from anytime_pruning.machine.devices import choose_device

VERSION = """NVRM version: NVIDIA UNIX {kind} Module{place}  {version}  Thu Nov  7 2024
GCC version:  gcc version 12.3.0
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that pretends a machine: its nvidia-smi, devices, driver and graphics cards."""
    for folder in ("bin", "dev", "pci"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(nvidia, "DEVICES", tmp_path / "dev")
    monkeypatch.setattr(nvidia, "PCI_DEVICES", tmp_path / "pci")
    monkeypatch.setattr(nvidia, "DRIVER", tmp_path / "version")
    monkeypatch.setattr(devices, "keep_caches_outside", lambda: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def make(smi=None, devices=(), driver=None, cards=(), cuda=None):
        if smi is not None:
            (tmp_path / "bin" / "nvidia-smi").write_text(f"#!/bin/sh\nexit {smi}\n")
            (tmp_path / "bin" / "nvidia-smi").chmod(0o755)
        for name in devices:
            (tmp_path / "dev" / name).touch()
        if driver:
            (tmp_path / "version").write_text(VERSION.format(kind="x86_64 Kernel", place="", version=driver))
        for i, (vendor, kind) in enumerate(cards):
            (tmp_path / "pci" / str(i)).mkdir()
            (tmp_path / "pci" / str(i) / "vendor").write_text(vendor + "\n")
            (tmp_path / "pci" / str(i) / "class").write_text(kind + "\n")
        monkeypatch.setattr(torch.version, "cuda", cuda)

    return make


@pytest.mark.parametrize(
    ("there", "clause"),
    [
        (
            {"smi": 0, "driver": "535.183.01", "cuda": "13.0"},
            "(driver 535.183.01), but torch for CUDA 13.0 needs driver R580 or newer; update the driver, or install",
        ),
        ({"smi": 0, "driver": "470.57", "cuda": "12.6"}, "torch for CUDA 12.6 needs driver R525 or newer"),
        ({"smi": 0, "driver": "580.65.06", "cuda": "13.0"}, "torch for CUDA 13.0 finds no CUDA device; compare"),
        ({"smi": 0, "cuda": None}, f"this torch {torch.__version__} is built without CUDA; install a torch for CUDA"),
        ({"devices": ["nvidia0"], "cuda": "13.0"}, "(driver unknown), but torch for CUDA 13.0 finds no CUDA device"),
        ({"smi": 18, "cuda": "13.0"}, "finds no CUDA device"),  # the parts of the driver are of different versions
        ({"smi": 9, "cards": [("0x8086", "0x030000"), ("0x10de", "0x030200")], "cuda": "13.0"}, "finds no CUDA device"),
    ],
)
@pytest.mark.parametrize("asked", ["auto", "cuda", "cuda:1"])
def test_a_gpu_that_torch_cannot_use_is_said_in_one_line(there, clause, asked, machine):
    machine(**there)
    with pytest.raises(SettingError) as caught:
        choose_device(asked)
    message = str(caught.value)
    assert message.startswith(f"device: '{asked}' is not allowed: this machine has a GPU of NVIDIA (driver ")
    assert clause in message
    assert message.endswith(", or use cpu")
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(
    "there",
    [
        {},
        {"driver": "580.65.06"},  # a job of Slurm that has not asked for a GPU of this machine
        {"smi": 6, "devices": ["nvidia0"], "driver": "580.65.06"},
        {"smi": 9},  # a machine from which jobs are sent to others
        {"smi": 9, "cards": [("0x10de", "0x020000"), ("0x1002", "0x030000")]},  # a network card, and a card of AMD
        {"smi": 12},
        {"devices": ["nvidiactl", "nvidia-uvm"]},
    ],
)
def test_auto_is_the_cpu_where_there_is_no_gpu_to_use(there, machine):
    machine(**there, cuda="13.0")
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(SettingError, match="this machine has 0 CUDA devices; use auto or cpu"):
        choose_device("cuda")


@pytest.mark.parametrize("value", ["", " ", "-1", "NoDevFiles", "none"])
def test_auto_is_the_cpu_if_its_user_hides_the_gpus(value, machine, monkeypatch):
    machine(smi=0, driver="535.183.01", cuda="13.0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert choose_device("auto") == torch.device("cpu")


def test_nothing_is_wrong_where_torch_finds_the_gpu(machine, monkeypatch):
    machine(smi=0, driver="580.65.06", cuda="13.0")
    assert nvidia.why_no_cuda() is not None
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert nvidia.why_no_cuda() is None


def test_a_device_that_cannot_be_opened_is_not_there(machine):
    machine(devices=["nvidia0"], cuda="13.0")
    (nvidia.DEVICES / "nvidia0").unlink()
    (nvidia.DEVICES / "nvidia0").symlink_to("nowhere")
    assert choose_device("auto") == torch.device("cpu")


@pytest.mark.parametrize("kind", ["x86_64 Kernel", "Open Kernel"])
def test_the_version_of_the_driver_is_read(kind, machine):
    machine()
    place = "" if kind.startswith("x86") else " for x86_64"
    nvidia.DRIVER.write_text(VERSION.format(kind=kind, place=place, version="570.86.15"))
    assert nvidia._driver_version() == "570.86.15"


def test_what_torch_warns_of_an_old_driver_is_not_printed_beside_the_line(machine, monkeypatch, recwarn):
    machine(smi=0, driver="535.183.01", cuda="13.0")

    def is_available():
        warnings.warn("CUDA initialization: The NVIDIA driver on your system is too old", stacklevel=2)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", is_available)
    with pytest.raises(SettingError):
        choose_device("auto")
    assert not recwarn.list


def test_a_run_ends_with_the_line_before_it_reads_anything(machine, tmp_path):
    machine(smi=0)
    settings = '{"dataset": "digits", "model": "resnet20", "execution": {"device": "auto"}}'
    done = subprocess.run(
        [sys.executable, "-m", "anytime_pruning", "train", "--settings", settings, "--out", str(tmp_path / "out")],
        env=os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "99"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: device: 'auto' is not allowed: this machine has a GPU of NVIDIA")
    assert not (tmp_path / "out").exists()


class Driver:
    """Answers as the library of NVIDIA's driver does."""

    def __init__(self, answer, failure=0):
        self.answer, self.failure = answer, failure

    def cuDeviceGet(self, gpu, index):
        gpu._obj.value = 10 + index
        return 0

    def cuDeviceGetAttribute(self, value, attribute, gpu):
        assert (attribute, gpu.value) == (133, 12)
        value._obj.value = self.answer
        return self.failure


@pytest.mark.parametrize(
    ("driver", "expected"), [(Driver(1), True), (Driver(0), False), (Driver(0, failure=1), None), (None, None)]
)
def test_the_driver_is_asked_for_mps(driver, expected, monkeypatch):
    def load(name):
        if driver is None:
            raise OSError("libcuda.so.1: cannot open shared object file")
        return driver

    monkeypatch.setattr(ctypes, "CDLL", load)
    assert nvidia.is_mps_on(2) is expected
