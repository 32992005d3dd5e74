import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from conftest import ROOT
from torch.cuda._utils import _get_device_index

from anytime_pruning import run_stream
from anytime_pruning.machine import memory
from anytime_pruning.machine.devices import prepare_process, searching_for_full
from anytime_pruning.machine.memory import keep_freed_memory
from anytime_pruning.stream.images import ImageSet

CURRENT = 3
# This needs a separate process: after a failed allocation, as above, glibc takes memory from another place for good.
KEEP_AND_GIVE_BACK = """
import torch
from anytime_pruning.machine.memory import keep_freed_memory

def resident_mb():  # without the pages of files, such as libraries, which enter memory when they are first used
    _, resident, of_files, *_ = map(int, open("/proc/self/statm").read().split())
    return (resident - of_files) * 4096 / 2**20

for keep in (True, False):
    keep_freed_memory(keep)
    before = resident_mb()
    block = torch.ones(80 << 18)
    held = resident_mb() - before
    del block
    print(round(held), round(resident_mb() - before))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has no such switch")
def test_freed_memory_is_kept_and_given_back():
    done = subprocess.run(
        [sys.executable, "-c", KEEP_AND_GIVE_BACK], cwd=ROOT, capture_output=True, text=True, check=True
    )
    kept, given_back = ([int(number) for number in line.split()] for line in done.stdout.splitlines())
    assert kept == pytest.approx([80, 80], abs=2)
    assert given_back[1] <= 1


def test_no_switch_in_the_c_library_is_no_error(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert keep_freed_memory(True) is None


@pytest.fixture
def pretended_cuda(monkeypatch):
    """Pretend that torch can prepare a GPU, and return the calls; the flags of cuDNN and cuBLAS are restored."""
    calls = []
    for name in ("benchmark", "deterministic", "allow_tf32"):
        monkeypatch.setattr(torch.backends.cudnn, name, getattr(torch.backends.cudnn, name))
    monkeypatch.setattr(torch.backends.cuda, "matmul", SimpleNamespace())
    monkeypatch.setattr(torch.cuda, "current_device", lambda: CURRENT)
    # Both read their argument as torch does, which refuses a device without an index.
    for name in ("set_device", "set_per_process_memory_fraction"):
        monkeypatch.setattr(
            torch.cuda, name, lambda *given, name=name: calls.append((name, *given[:-1], _get_device_index(given[-1])))
        )
    return calls


@pytest.mark.parametrize(("name", "index"), [("cuda:0", 0), ("cuda:1", 1), ("cuda:7", 7), ("cuda", CURRENT)])
def test_the_gpu_of_a_run_becomes_the_current_one(name, index, pretended_cuda):
    prepare_process(torch.device(name), threads=1, gpu_slots=4)
    assert pretended_cuda == [("set_device", index), ("set_per_process_memory_fraction", 0.25, index)]


@pytest.mark.parametrize("deterministic", [False, True])
def test_kernels_are_searched_for_full_batches_only(deterministic, pretended_cuda):
    """Note whether cuDNN searches while a caller works on each batch; 25 images in tens leave a batch of five."""
    prepare_process(torch.device("cuda"), threads=1, deterministic=deterministic)
    data = ImageSet(torch.zeros(25, 1, 4, 4, dtype=torch.uint8), torch.zeros(25, dtype=torch.int64))
    batches = searching_for_full(data.batches(torch.arange(25), 10), 10)
    searched = [(len(labels), torch.backends.cudnn.benchmark) for _, labels in batches]
    assert searched == [(10, not deterministic), (10, not deterministic), (5, False)]
    assert torch.backends.cudnn.benchmark is not deterministic


def test_a_short_training_step_searches_no_kernels(pretended_cuda, make_trainer):
    prepare_process(torch.device("cuda"), threads=1)
    trainer, searched = make_trainer(batch_size=8, epochs=1), []
    trainer.model.register_forward_pre_hook(
        lambda _, inputs: searched.append((len(inputs[0]), torch.backends.cudnn.benchmark))
    )
    trainer.train_epoch(torch.arange(20), 1, 1, trainer.begin_epoch(torch.arange(20)))
    assert searched == [(8, True), (8, True), (4, False)]


def test_the_trials_of_a_network_search_no_kernels(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    forward, searched = torch.nn.Conv2d.forward, set()

    def watched(self, maps):
        searched.add((len(maps), torch.backends.cudnn.benchmark))
        return forward(self, maps)

    monkeypatch.setattr(torch.nn.Conv2d, "forward", watched)
    run_stream(tiny(n_megabatches=1, epochs=1, train_limit=40, batch_size=12), tmp_path)
    # 36 of the 40 images are trained on in twelves, 20 % of 40 are scored on, and 360 are tested on in hundreds.
    assert {size for size, searches in searched if searches} == {12, 100}
    assert (2, False) in searched
    assert (2, True) not in searched
