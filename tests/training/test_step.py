"""Test recorded and compiled training steps, and that a job imports no package without need."""

import copy
import os
import random
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from conftest import ROOT

from anytime_pruning.training.cuda_graph import RecordedStep, python_state
from anytime_pruning.training.step import compile_forward


class Sum:
    """Adds its inputs to a total, and counts how often Python executes the step."""

    def __init__(self):
        self.total, self.calls = torch.zeros(()), 0

    def __call__(self, indices, flips):
        self.calls += 1
        self.total += indices.sum() + 100 * flips.sum()
        return self.total.clone(), indices.max()


def replay_by_calling(run):
    """Record as CUDA does, but without its speed: execute nothing now, and later always use the recorded tensors."""
    return run


def batches(*sizes):
    return [(torch.arange(size) + i, torch.arange(size) % 2 == 0) for i, size in enumerate(sizes)]


def test_a_recorded_step_does_what_the_step_does():
    """Mix full batches before and after recording with short batches in between and at the end."""
    plain, recorded = Sum(), Sum()
    step = RecordedStep(recorded, 4, replay_by_calling)
    recordings = []
    step._record = lambda run: recordings.append(1) or run
    for batch in batches(4, 4, 4, 4, 3, 4, 5, 4, 2):
        expected, (total, highest) = plain(*batch), step(*batch)
        assert (float(total), int(highest)) == (float(expected[0]), int(expected[1]))
    assert recordings == [1]
    step.forget()
    for batch in batches(4, 4, 4, 4, 4):
        assert float(step(*batch)[0]) == float(plain(*batch)[0])
    assert recordings == [1, 1]


def test_a_recording_reads_only_tensors_that_stay():
    """Check that a replay never reads the caller's own batch, which no longer exists by then."""
    addresses = set()
    step = RecordedStep(lambda indices: addresses.add(indices.data_ptr()) or (indices.sum(),), 4, replay_by_calling)
    kept = [torch.arange(4) + i for i in range(8)]  # All batches stay alive, so that no address comes again.
    sums = [int(step(indices)[0]) for indices in kept]
    assert sums == [6 + 4 * i for i in range(8)]
    # The recording does not write to the caller's batches either.
    assert [indices.tolist() for indices in kept] == [[i, i + 1, i + 2, i + 3] for i in range(8)]
    assert len(addresses) == RecordedStep.WARM_UP + 1


def test_a_step_that_cannot_be_recorded_runs_as_it_is_with_one_line(capsys):
    def refuse(run):
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    step, plain = RecordedStep(Sum(), 4, refuse), Sum()
    for batch in batches(4, 4, 4, 4, 4, 4):
        assert float(step(*batch)[0]) == float(plain(*batch)[0])
    assert capsys.readouterr().err == (
        "warning: model: it cannot be recorded as a CUDA graph and trains more slowly "
        "(operation not permitted when stream is capturing)\n"
    )


@pytest.fixture(autouse=True)
def no_folder_for_kernels(monkeypatch):
    """Nothing is really compiled here, so no folder is made for it, nor named in the environment of later tests."""
    monkeypatch.setattr("anytime_pruning.training.step.keep_caches_outside", lambda: None)


def test_without_a_compiler_the_network_is_not_compiled(monkeypatch, capsys, toy_model):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert compile_forward(toy_model, 4) is toy_model
    assert capsys.readouterr().err == (
        "warning: execution.compile: true needs no-such-compiler, which is not installed; the network is not compiled\n"
    )


def test_only_full_batches_are_compiled(monkeypatch, toy_model, toy_batches):
    monkeypatch.setenv("CXX", sys.executable)  # Any installed program will do.
    seen = []
    monkeypatch.setattr(
        torch, "compile", lambda model, **options: lambda images: seen.append(len(images)) or model(images)
    )
    forward = compile_forward(toy_model.eval(), 5)
    for images, _ in toy_batches:  # The batches have five images and three images.
        assert torch.equal(forward(images), toy_model(images))
    assert set(seen) == {5}


class FailingBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1

    @staticmethod
    def backward(ctx, gradient):
        raise NotImplementedError("no kernel for the gradient\nmore")


def refuse(images):
    raise RuntimeError("no kernel for the gradient")


@pytest.mark.parametrize(
    "compiled", [refuse, lambda model: lambda images: FailingBackward.apply(model(images))], ids=["forward", "backward"]
)
def test_a_model_whose_compiled_form_fails_is_used_as_it_is_with_one_line(compiled, monkeypatch, capsys, toy_model):
    monkeypatch.setenv("CXX", sys.executable)
    monkeypatch.setattr(torch, "compile", lambda model, **options: refuse if compiled is refuse else compiled(model))
    before = {name: tensor.clone() for name, tensor in toy_model.train().state_dict().items()}
    forward, images = compile_forward(toy_model, 5), torch.rand(5, 1, 4, 4, dtype=torch.float64)
    expected = copy.deepcopy(toy_model)(images)
    assert torch.equal(forward(images), expected)
    forward(images).sum().backward()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("torch.compile fails, and the network is not compiled (no kernel for the gradient)")
    assert int(toy_model[1].num_batches_tracked) == int(before["1.num_batches_tracked"]) + 2


class Skipping(torch.nn.Module):
    """Leave out a layer by a draw or a count in Python, as stochastic depth does."""

    def __init__(self, how):
        super().__init__()
        self.layer, self.how, self.calls = torch.nn.Linear(2, 2), how, 0

    def forward(self, x):
        if self.how == "count":
            self.calls += 1
        draw = {"random": random.random, "torch": lambda: torch.rand(()), "numpy": np.random.rand}.get(self.how)
        return self.layer(x) if draw is None or draw() < 0.5 else x


@pytest.mark.parametrize("how", ["random", "torch", "numpy", "count"])
def test_a_step_that_decides_in_python_is_not_recorded(how, capsys):
    model, recordings = Skipping(how), []

    def step(images):
        return (model(images),)

    recorded = RecordedStep(step, 4, lambda run: recordings.append(1) or run, partial(python_state, model))
    for _ in range(6):
        recorded(torch.rand(4, 2, generator=torch.Generator()))
    assert recordings == []
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_step_that_decides_nothing_in_python_is_recorded(capsys):
    model, recordings = Skipping("never"), []
    recorded = RecordedStep(
        lambda images: (model(images),), 4, lambda run: recordings.append(1) or run, partial(python_state, model)
    )
    for _ in range(6):
        recorded(torch.ones(4, 2))
    assert recordings == [1]
    assert capsys.readouterr().err == ""


def test_the_start_of_a_job_does_not_import_what_it_does_not_need(tiny, tmp_path):
    """Check that a run imports none of four packages, each of which costs a second.

    Digits come from the cache, and ResNet-20 is the project's own, so the run needs none of these packages.
    """
    program = (
        "import sys; from anytime_pruning import run_stream; "
        f"run_stream({tiny(epochs=1, n_megabatches=1)!r}, {str(tmp_path)!r}); "
        "print([m for m in ('torch._dynamo', 'torchvision', 'sklearn', 'pandas') if m in sys.modules])"
    )
    for _ in range(2):  # The first run may have to fill the cache.
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        for path in tmp_path.iterdir():
            path.unlink()
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_cuda_graph_replays_the_step():
    plain, recorded = Sum(), Sum()
    plain.total, recorded.total = plain.total.cuda(), recorded.total.cuda()
    step = RecordedStep(recorded, 4)
    for batch in batches(4, 4, 4, 4, 3, 4, 5, 4, 2):
        on_gpu = [part.cuda() for part in batch]
        assert float(step(*on_gpu)[0]) == float(plain(*on_gpu)[0])
    assert recorded.calls < plain.calls


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="no two CUDA devices")
def test_a_cuda_graph_is_recorded_on_the_gpu_of_its_tensors():
    """Record on the second GPU while the first one is the current one."""
    plain, recorded = Sum(), Sum()
    recorded.total = recorded.total.to("cuda:1")
    step = RecordedStep(recorded, 4)
    for batch in batches(4, 4, 4, 4, 3, 4, 4):
        assert float(step(*(part.to("cuda:1") for part in batch))[0]) == float(plain(*batch)[0])
    assert step.is_recorded
    assert torch.cuda.current_device() == 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_cuda_graph_that_cannot_be_recorded_leaves_the_gpu_as_it_was(capsys):
    """Let a step wait for the GPU, which no recording can; draw and record something else afterwards."""
    plain, waiting, other = Sum(), Sum(), Sum()
    waiting.total, other.total = waiting.total.cuda(), other.total.cuda()

    def wait(*batch):
        torch.nn.functional.dropout(torch.ones(8, device="cuda"), 0.5)
        total, highest = waiting(*batch)
        return total + 0 * total.item(), highest

    step, before = RecordedStep(wait, 4), torch.cuda.current_stream()
    for batch in batches(4, 4, 4, 4, 4, 4):
        assert float(step(*(part.cuda() for part in batch))[0]) == float(plain(*batch)[0])
        assert torch.cuda.current_stream() == before
    assert not step.is_recorded
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert torch.rand(8, device="cuda").unique().numel() > 1
    step = RecordedStep(other, 4)
    for batch in batches(4, 4, 4, 4, 4):
        step(*(part.cuda() for part in batch))
    assert step.is_recorded
