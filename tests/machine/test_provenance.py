import hashlib
import subprocess

import pytest
import torch

import anytime_pruning
from anytime_pruning.machine import provenance
from anytime_pruning.machine.provenance import describe_commit, describe_container
from anytime_pruning.results.metrics_file import Hardware


def test_the_image_is_named_by_what_is_in_its_file(tmp_path, monkeypatch):
    image = tmp_path / "an.sif"
    image.write_bytes(b"image")
    monkeypatch.setenv("APPTAINER_CONTAINER", str(image))
    digest = hashlib.sha256(b"image").hexdigest()
    assert describe_container() == {"image": "an.sif", "sha256": digest}
    monkeypatch.setenv("APPTAINER_CONTAINER", str(tmp_path / "out of sight" / "an.sif"))
    assert describe_container() == {"image": "an.sif", "sha256": None}


def test_outside_there_is_none(monkeypatch):
    for name in ("APPTAINER_CONTAINER", "SINGULARITY_CONTAINER"):
        monkeypatch.delenv(name, raising=False)
    assert describe_container() is None


def test_a_package_in_somebody_elses_repository_has_no_commit(tmp_path, monkeypatch):
    """As in a virtual environment inside a project's folder, which git ignores."""
    package = tmp_path / ".venv" / "anytime_pruning"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.setattr(anytime_pruning, "__file__", str(package / "__init__.py"))

    def git(*command):
        done = subprocess.run(["git", *command], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    commit = ("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "--allow-empty", "-m", "x")
    git("init", "-q")
    assert describe_commit() == {"commit": None, "modified": None}
    git("add", "-f", ".")
    assert describe_commit() == {"commit": None, "modified": True}
    git("rm", "-q", "-r", "--cached", ".")
    git(*commit)
    assert describe_commit() == {"commit": None, "modified": None}
    git("add", "-f", ".")
    assert describe_commit() == {"commit": git("rev-parse", "HEAD"), "modified": True}
    git(*commit)
    assert describe_commit() == {"commit": git("rev-parse", "HEAD"), "modified": False}


@pytest.mark.parametrize("mps", [True, False, None])
def test_a_shared_gpu_says_how_it_was_shared(mps, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    # A recorded step keeps memory that no tensor holds.
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 5 << 20)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: 7 << 20 if device.index == 3 else 1 / 0)
    monkeypatch.setattr(provenance, "is_mps_on", lambda index: mps if index == 3 else 1 / 0)
    hardware = provenance.describe_hardware(torch.device("cuda", 3), gpu_slots=4)
    assert (hardware["gpu_slots"], hardware["mps"], hardware["peak_gpu_memory_mb"]) == (4, mps, 7)
    assert Hardware.model_validate(hardware).mps is mps
    assert not {"gpu_slots", "mps"} & provenance.describe_hardware(torch.device("cpu"), gpu_slots=4).keys()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (
            "processor\t: 0\ncpu family\t: 25\nmodel name\t: AMD EPYC\n\nprocessor\t: 1\ncpu family\t: 99\n",
            "AMD EPYC, family 25",
        ),
        ("processor\t: 0\nBogoMIPS\t: 50.00\n", "aarch64"),
    ],
)
def test_the_kind_of_a_processor_tells_families_of_one_name_apart(text, kind, tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(provenance, "PROCESSORS", tmp_path / "cpuinfo")
    monkeypatch.setattr(provenance.platform, "processor", lambda: "")
    monkeypatch.setattr(provenance.platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(provenance, "has_native_bfloat16", lambda device: True)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert provenance.processor_kind() == f"{kind}, AVX512 with bfloat16"
    monkeypatch.setattr(provenance, "has_native_bfloat16", lambda device: False)
    monkeypatch.setattr(provenance, "PROCESSORS", tmp_path / "gone")
    assert provenance.processor_kind() == "aarch64, AVX512"


@pytest.mark.parametrize(
    ("name", "limit", "kind"),
    [
        ("AMD EPYC 7763 64-Core Processor", "", "AMD, AVX512 with bfloat16"),
        ("Intel(R) Xeon(R) Platinum 8480+", "", "Intel, AVX512 with bfloat16"),
        ("Intel Xeon Processor (Skylake)", "AVX512_CORE", "Intel, AVX512"),
        ("AMD EPYC", "AVX2", "AMD, AVX512, oneDNN AVX2"),
    ],
)
def test_bits_are_those_of_a_maker_and_of_the_instructions_that_are_used(name, limit, kind, monkeypatch):
    monkeypatch.setattr(provenance, "processor_name", lambda: name)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    monkeypatch.delenv("DNNL_MAX_CPU_ISA", raising=False)
    assert provenance.kind_of_bits() == kind
