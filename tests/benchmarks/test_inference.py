"""Test that latencies are measured of the right networks, and that the table says what was measured."""

import json
import os
from functools import partial

import pytest
import torch
from conftest import build_small, read_csv
from torch.overrides import TorchFunctionMode

from anytime_pruning import register, run_stream
from anytime_pruning.foundation.registry import _registered
from anytime_pruning.results.store import read_settings
from benchmarks.inference import __main__ as inference
from benchmarks.inference.latency import measure_latencies
from benchmarks.inference.semi_structured import with_sparse_kernels
from benchmarks.inference.subjects import choose_runs

pytest.importorskip("onnxruntime")
pytest.importorskip("torch_pruning")

CPU = torch.device("cpu")
GPU = {"id": "a-gpu", "name": "A GPU", "device": "cuda", "threads": 1, "torch": "2"}


@pytest.fixture(scope="module")
def study(data_dir, tmp_path_factory):
    """Return the folder of a study with a dense run, one of whole filters, and one of another seed."""
    register("model", "small")(build_small)
    root = tmp_path_factory.mktemp("results") / "study"
    settings = {
        "dataset": "digits",
        "model": "small",
        "n_megabatches": 2,
        "train_limit": 60,
        "epochs": 2,
        "lr": 0.05,
    }
    settings |= {"batch_size": 16, "execution": {"device": "cpu", "data_dir": str(data_dir)}}
    changes = {"a": {"selection": "filter"}, "b": {"method": "dense"}, "c": {"selection": "filter", "seed": 1}}
    for name, changed in changes.items():
        run_stream(settings | changed, root / "runs" / name, root / "checkpoints" / name / "weights.safetensors")
    yield root
    del _registered["model"]["small"]


def test_dense_comes_first_and_one_seed_is_measured(study):
    assert [run.name for run in choose_runs(study)] == ["b", "a"]


@pytest.mark.long(30)
def test_each_form_is_measured_in_both_programs(study, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    arguments = ["--study", str(study), "--device", "cpu", "--rounds", "2", "--turn", "0.001", "--out", str(tmp_path)]
    assert inference.main(arguments) == 0
    (stored,) = tmp_path.glob("*-inference.json")
    rows = json.loads(stored.read_text())["networks"]
    assert [(row["network"], row["form"]) for row in rows] == [
        ("small dense", "as trained"),
        ("small app filter", "as trained"),
        ("small app filter", "compact"),
    ]
    dense, trained, compact = rows
    assert dense["parameters"] == trained["parameters"] > 1.5 * compact["parameters"]
    assert dense["macs"] == trained["macs"] > 1.2 * compact["macs"]
    for row, name in zip(rows, "baa", strict=True):
        last = read_csv(study / "runs" / name / "megabatches.csv")[-1]
        assert row["test_accuracy"] == 1 - int(last["error_count"]) / int(last["test_count"])
    for row in rows:
        assert row["latency_ms"].keys() == {"torch", "onnxruntime"}
        for found in row["latency_ms"].values():
            assert found.keys() == {"1", "64"}
            assert all(0 < batch["lowest"] <= batch["median"] <= batch["p95"] for batch in found.values())
            assert all(batch["calls"] >= 2 for batch in found.values())
    assert stored.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    table = stored.with_suffix(".md").read_text().splitlines()
    assert len({line.count("|") for line in table if line.startswith("|")}) == 1
    assert len([line for line in table if line.startswith("| digits")]) == 3
    assert capsys.readouterr().out.count("compact") >= 1


class OnCpu(TorchFunctionMode):
    """Let torch compute on a CPU what is asked of a GPU, and note the types that it convolves."""

    def __init__(self):
        super().__init__()
        self.convolved = set()

    def __torch_function__(self, function, types, given=(), named=None):
        def moved(value):
            return CPU if isinstance(value, torch.device) else value

        if function is torch.conv2d:
            self.convolved.add(given[0].dtype)
        return function(*map(moved, given), **{key: moved(value) for key, value in (named or {}).items()})


@pytest.mark.parametrize("has_kernels", [True, False])
def test_a_gpu_is_given_networks_and_images_of_half_precision(has_kernels, study, tmp_path, capsys, monkeypatch):
    """Go the way of a GPU on a CPU, which has no sparse kernels; a matrix that stays dense replaces them."""
    settings = read_settings(study / "runs" / "a") | {"selection": "n_m", "pattern": "2:4"}
    run_stream(settings, tmp_path / "runs" / "n_m", tmp_path / "checkpoints" / "n_m" / "weights.safetensors")
    monkeypatch.setattr(torch, "Generator", lambda device=CPU, make=torch.Generator: make())
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    monkeypatch.setattr(inference, "choose_device", lambda name: torch.device("cuda"))
    monkeypatch.setattr(inference, "prepare_process", lambda device, threads: None)
    monkeypatch.setattr(inference, "describe_machine", lambda device, threads: GPU)
    if has_kernels:
        dense = partial(with_sparse_kernels, sparsify=lambda matrix: matrix)
        monkeypatch.setattr("benchmarks.inference.subjects.with_sparse_kernels", dense)
    runs = [str(study / "runs" / "a"), str(tmp_path / "runs" / "n_m")]
    with OnCpu() as on_cpu:
        assert inference.main([*runs, "--rounds", "1", "--turn", "0.001", "--out", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "a-gpu-inference.json").read_text())["networks"]
    kinds = ["as trained", "compact", "as trained", *(["sparse kernels"] if has_kernels else [])]
    assert [row["form"] for row in rows] == kinds
    assert all(row["latency_ms"].keys() == {"torch"} for row in rows)
    assert "float16" in (tmp_path / "a-gpu-inference.md").read_text()
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
    message = "small app n_m is not measured with sparse kernels: no convolution of this network"
    assert len(warnings) == (not has_kernels)
    assert all(message in line for line in warnings)
    assert torch.float16 in on_cpu.convolved


def test_calls_take_turns():
    said = []
    calls = {name: lambda images, name=name: said.append(name) for name in "ab"}
    found = measure_latencies(calls, torch.zeros(1), rounds=3, turn_s=0)
    order = [name for i, name in enumerate(said) if i == 0 or said[i - 1] != name]
    assert order == ["a", "b"] * 4  # warm-up and three rounds
    assert found.keys() == {"a", "b"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--study", "nowhere"], "--study: 'nowhere' is not allowed: it has no run with weights to compare"),
        (["nowhere"], "nowhere"),
        (["--rounds", "0"], "--rounds: 0 is not allowed; allowed: numbers above 0"),
        (["--turn", "-1"], "--turn: -1.0 is not allowed; allowed: numbers above 0"),
    ],
)
def test_mistakes_are_one_line(arguments, message, study, tmp_path, capsys):
    if "--study" not in arguments and arguments != ["nowhere"]:
        arguments = [*arguments, "--study", str(study)]
    assert inference.main([*arguments, "--device", "cpu", "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "out").exists()
