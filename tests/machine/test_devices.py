import platform
import subprocess
import sys

import pytest
import torch
from conftest import ROOT

from anytime_pruning.foundation.errors import CapacityError
from anytime_pruning.machine import memory
from anytime_pruning.machine.devices import choose_precision, has_native_bfloat16
from anytime_pruning.machine.memory import keep_freed_memory, out_of_memory_as_capacity_error
from anytime_pruning.runs.job import advice_on_memory
from anytime_pruning.settings.run import parse_settings

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("capabilities", "native"),
    [
        ({"avx512_bf16": True, "avx2": True}, True),
        ({"amx_bf16": True}, True),
        ({"avx512_bf16": False, "avx2": True, "cpu_name": "bf16"}, False),
        ({}, False),
    ],
)
def test_native_bfloat16_is_read_off_the_processor(capabilities, native, monkeypatch, capsys):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert has_native_bfloat16(CPU) is native
    assert choose_precision("auto", CPU) == ("bfloat16" if native else "float32")
    assert choose_precision("float32", CPU) == "float32"
    assert capsys.readouterr().err == ""
    assert choose_precision("bfloat16", CPU) == "bfloat16"
    warned = "warning: precision: bfloat16 is emulated on this cpu, which is slower than float32\n"
    assert capsys.readouterr().err == ("" if native else warned)


def allocate_too_much():
    torch.empty(2**60)  # fails with the error that torch raises on a CPU


def run_out_of_gpu_memory():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def run_out_of_memory():
    raise MemoryError


@pytest.mark.parametrize("work", [allocate_too_much, run_out_of_gpu_memory, run_out_of_memory])
def test_out_of_memory_names_the_settings_to_lower(work, tiny):
    advice = advice_on_memory(parse_settings(tiny(execution={"gpu_slots": 3})))
    message = r"batch_size 16 and execution\.gpu_slots 3 does not fit; lower"
    with pytest.raises(CapacityError, match=message), out_of_memory_as_capacity_error(advice):
        work()


def test_other_errors_pass_through():
    with pytest.raises(RuntimeError, match="something else"), out_of_memory_as_capacity_error("nothing"):
        raise RuntimeError("something else")


# This needs a separate process: after a failed allocation, as above, glibc takes memory from another place for good.
KEEP_AND_GIVE_BACK = """
import torch
from anytime_pruning.machine.memory import keep_freed_memory

def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20

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
