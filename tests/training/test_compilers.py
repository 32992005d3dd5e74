"""Test what is missing for torch.compile."""

import sysconfig

import pytest
import torch

from anytime_pruning.training import compilers
from anytime_pruning.training.compilers import missing_for_compiling
from anytime_pruning.training.step import compile_forward

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
HEADER = "Python.h, the header of Python (package python3-dev or python3-devel)"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that makes a machine with some programs, with or without triton and the header of Python."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("CC", "CXX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(compilers.sys, "platform", "linux")

    def make(*programs, triton=True, header=True):
        for name in programs:
            (tmp_path / "bin" / name).write_text("#!/bin/sh\n")
            (tmp_path / "bin" / name).chmod(0o755)
        if header:
            (tmp_path / "Python.h").touch()
        monkeypatch.setattr(compilers, "find_spec", lambda name: object() if triton and name == "triton" else None)
        monkeypatch.setattr(sysconfig, "get_path", lambda name, scheme: str(tmp_path) if name == "include" else 1 / 0)

    return make


@pytest.mark.parametrize(
    ("programs", "parts", "on_a_gpu", "on_a_cpu"),
    [
        (("gcc", "g++"), {}, None, None),
        (("clang", "clang++"), {}, None, "g++"),
        (("gcc",), {"header": False}, HEADER, "g++"),
        (("gcc", "g++"), {"header": False}, HEADER, HEADER),
        (("gcc", "g++"), {"triton": False}, "triton", None),
        ((), {}, "a C compiler (gcc or clang)", "g++"),
    ],
)
def test_the_first_missing_thing_is_named(programs, parts, on_a_gpu, on_a_cpu, install):
    install(*programs, **parts)
    assert missing_for_compiling(GPU) == on_a_gpu
    assert missing_for_compiling(CPU) == on_a_cpu


def test_the_users_compilers_are_those_that_count(install, monkeypatch):
    install("gcc", "g++")
    for name in ("CC", "CXX"):
        monkeypatch.setenv(name, f"my-{name.lower()}")
    assert (missing_for_compiling(GPU), missing_for_compiling(CPU)) == ("my-cc", "my-cxx")
    install("my-cc", "my-cxx")
    assert missing_for_compiling(GPU) is missing_for_compiling(CPU) is None


def test_a_missing_header_is_one_line_and_the_network_trains_as_it_is(install, toy_model, capsys):
    install("g++", header=False)
    assert compile_forward(toy_model, 4) is toy_model
    assert capsys.readouterr().err == (
        f"warning: execution.compile: true needs {HEADER}, which is not installed; the network is not compiled\n"
    )


def test_too_little_memory_for_the_trial_of_a_compiled_network_is_not_swallowed(monkeypatch, toy_model):
    """Let the compiler fail as torch does, with the first error as the cause of its own."""

    class BackendError(RuntimeError):
        pass

    def run(images):
        raise BackendError("backend='inductor' raised") from torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch, "compile", lambda model, **options: run)
    monkeypatch.setattr("anytime_pruning.training.step.missing_for_compiling", lambda device: None)
    monkeypatch.setattr("anytime_pruning.training.step.keep_caches_outside", lambda: None)
    with pytest.raises(BackendError):
        compile_forward(toy_model, 5)(torch.rand(5, 1, 4, 4, dtype=torch.float64))


def test_compiled_kernels_get_a_folder_outside_of_the_checkout(monkeypatch, toy_model):
    named = []
    monkeypatch.setattr(torch, "compile", lambda model, **options: named.append("compiled"))
    monkeypatch.setattr("anytime_pruning.training.step.missing_for_compiling", lambda device: None)
    monkeypatch.setattr("anytime_pruning.training.step.keep_caches_outside", lambda: named.append("folder"))
    compile_forward(toy_model, 5)
    assert named == ["folder", "compiled"]
