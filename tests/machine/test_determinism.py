"""Test that the same settings give the same bits, on a GPU with `deterministic: true`."""

import json
import os
import subprocess
import sys
from functools import partial

import pytest
import torch
from conftest import ROOT, without_times

from anytime_pruning import register, run_stream
from anytime_pruning.foundation.errors import SettingError
from anytime_pruning.machine import determinism
from anytime_pruning.machine.determinism import CUBLAS_WORKSPACE, deterministic_algorithms
from anytime_pruning.machine.devices import prepare_process
from anytime_pruning.pruning.pruners import score
from anytime_pruning.settings.run import parse_settings

HELD = ("cpu", True)
TABLES = ("megabatches.csv", "epochs.csv", "layers.csv")


def results(folder):
    """Return everything that a run computed: the bytes of its weights, and its tables without times."""
    return (folder / "weights.safetensors").read_bytes(), [without_times(folder / name) for name in TABLES]


def train(folder, settings, **environment):
    """Train in a separate process and return the results."""
    subprocess.run(
        [sys.executable, "-m", "anytime_pruning", "train", "--settings", json.dumps(settings), "--out", folder],
        # Folders of packages that the caller has added stay.
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), *sys.path))} | environment,
        check=True,
        capture_output=True,
    )
    return results(folder)


def with_execution(settings, **changes):
    return settings | {"execution": settings["execution"] | changes}


def test_two_processes_compute_the_same_bits(tiny, tmp_path):
    settings = tiny(precision="float32", n_megabatches=2, epochs=1)
    first = train(tmp_path / "first", settings, PYTHONHASHSEED="1", OMP_NUM_THREADS="1")
    # The environment has no influence, because the settings name the number of threads.
    assert train(tmp_path / "second", settings, PYTHONHASHSEED="2", OMP_NUM_THREADS="2", MKL_NUM_THREADS="2") == first
    # On a CPU all used algorithms are deterministic without the setting.
    assert train(tmp_path / "third", with_execution(settings, deterministic=True)) == first
    run_stream(settings | {"seed": 1}, tmp_path / "other")
    assert results(tmp_path / "other") != first
    hardware = [json.loads((tmp_path / run / "metrics.json").read_text())["hardware"] for run in ("second", "third")]
    assert [(said["threads"], said["deterministic"]) for said in hardware] == [(1, False), (1, True)]


def test_it_names_no_results(tiny):
    settings = tiny()
    assert (
        parse_settings(with_execution(settings, deterministic=True, threads=2)).digest()
        == parse_settings(settings).digest()
    )


def test_it_holds_during_a_run_and_not_after(forget, tiny, tmp_path):
    seen = []

    @register("pruner", "watching_for_test")
    def watching(model, batches, generator):
        seen.append(torch.are_deterministic_algorithms_enabled())
        return score(model, "magnitude", batches)

    for wanted in (True, False, True):
        settings = with_execution(tiny(pruner="watching_for_test", n_megabatches=1), deterministic=wanted)
        run_stream(settings, tmp_path / str(len(seen)))
        assert not torch.are_deterministic_algorithms_enabled()
    assert seen == [True, False, True]


def test_an_operation_without_a_deterministic_form_is_one_line(forget, tiny, tmp_path):
    @register("pruner", "racing_for_test")
    def racing(model, batches, generator):
        torch.zeros(3).put_(torch.tensor([0, 0]), torch.ones(2))
        return score(model, "magnitude", batches)

    run_stream(tiny(pruner="racing_for_test", n_megabatches=1), tmp_path / "free")
    settings = with_execution(tiny(pruner="racing_for_test", n_megabatches=1), deterministic=True)
    with pytest.raises(SettingError, match=r"^deterministic: true is not allowed: put_, which .* set it to false$"):
        run_stream(settings, tmp_path / "held")
    assert not (tmp_path / "held" / "metrics.json").exists()
    assert not torch.are_deterministic_algorithms_enabled()


def test_other_errors_pass_through():
    with pytest.raises(RuntimeError, match="something else"), deterministic_algorithms(*HELD):
        raise RuntimeError("something else")
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.fixture
def pretended_gpu(monkeypatch):
    monkeypatch.setattr(determinism, "choose_device", lambda name: torch.device("cuda"))
    monkeypatch.setenv(CUBLAS_WORKSPACE, "")
    monkeypatch.delenv(CUBLAS_WORKSPACE)


def test_cublas_is_told_before_cuda_starts(pretended_gpu, monkeypatch):
    with deterministic_algorithms("auto", False):
        assert CUBLAS_WORKSPACE not in os.environ
    with deterministic_algorithms(*HELD):
        assert os.environ[CUBLAS_WORKSPACE] == ":4096:8"
    # The next run of this process is allowed, because the variable stays set.
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with deterministic_algorithms(*HELD):
        assert torch.are_deterministic_algorithms_enabled()


def test_too_late_is_said(pretended_gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    message = "deterministic: true is not allowed: this process has already used CUDA; start a new one"
    with pytest.raises(SettingError, match=message), deterministic_algorithms(*HELD):
        pytest.fail("entered")


@pytest.mark.parametrize("wanted", [True, False])
def test_cudnn_chooses_its_algorithms_by_it(wanted, monkeypatch, request):
    for name in ("benchmark", "deterministic", "allow_tf32"):
        monkeypatch.setattr(torch.backends.cudnn, name, getattr(torch.backends.cudnn, name))
    matmul = torch.backends.cuda.matmul
    request.addfinalizer(partial(setattr, matmul, "allow_tf32", matmul.allow_tf32))
    # As in an image of NVIDIA's, where a variable of the environment allows it.
    matmul.allow_tf32 = True
    for name in ("set_device", "set_per_process_memory_fraction"):
        monkeypatch.setattr(torch.cuda, name, lambda *arguments: None)
    prepare_process(torch.device("cuda:0"), threads=1, deterministic=wanted)
    assert torch.backends.cudnn.deterministic is wanted
    assert torch.backends.cudnn.benchmark is not wanted
    assert torch.backends.cudnn.allow_tf32 is False
    assert matmul.allow_tf32 is False


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_two_processes_compute_the_same_bits_on_a_gpu(precision, tiny, tmp_path):
    settings = with_execution(tiny(precision=precision), device="cuda", deterministic=True)
    assert train(tmp_path / "first", settings) == train(tmp_path / "second", settings)
