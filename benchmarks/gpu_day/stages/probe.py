"""Name the GPU and its software, and check that a recorded step computes the same bits as an unrecorded one."""

import subprocess
import sys
from dataclasses import replace

import torch

from anytime_pruning.machine.determinism import deterministic_algorithms
from anytime_pruning.machine.devices import choose_device, prepare_process
from anytime_pruning.machine.provenance import describe_hardware
from anytime_pruning.stream.images import ImageSet
from benchmarks.gpu_day.stages import is_recorded, report
from benchmarks.report import describe_machine
from benchmarks.speed.variants import make_images, make_loop, make_options

# On a GPU, enough steps to record one and to replay it several times.
N_STEPS = {"cuda": 10, "cpu": 2}


def run(device_name: str) -> None:
    """Report what this machine is, and compare recorded with unrecorded steps in both precisions."""
    with deterministic_algorithms(device_name, True):
        device = choose_device(device_name)
        prepare_process(device, 1, deterministic=True)
        for key, value in _describe(device).items():
            report(key, value)
        on_gpu = device.type == "cuda"
        data = ImageSet.from_arrays(*make_images(), device, crop_padding=4, flip=True)
        equal = [_compare(precision, data, on_gpu) for precision in ("float32", "bfloat16")]
    if not on_gpu:
        report("a recorded step equals an unrecorded one", "not run: no CUDA device")
    if not all(equal):
        sys.exit("a recorded step does not compute what an unrecorded one computes, or was not recorded")


def _compare(precision: str, data: ImageSet, on_gpu: bool) -> bool:
    """Train twice from the same weights, and return whether all weights and buffers have the same bits."""
    options = make_options("resnet20", precision)
    ways = [make_loop("resnet20", data, replace(options, records_steps=records)) for records in (True, False)]
    for way in ways:
        way.train(N_STEPS[data.images.device.type])
    states = [way.trainer.model.state_dict() for way in ways]
    is_equal = all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())
    if on_gpu and not is_recorded(ways[0].trainer):
        # A step that could not be recorded runs without a recording, and then equals itself.
        report(f"a step could be recorded, {precision}", False)
        return False
    what = "a recorded step equals an unrecorded one" if on_gpu else "two unrecorded trainings are equal"
    report(f"{what}, {precision}", is_equal)
    return is_equal


def _describe(device: torch.device) -> dict[str, object]:
    found: dict[str, object] = {
        "torch": torch.__version__,
        "machine": describe_machine(device, 1),
        "hardware": describe_hardware(device),
    }
    if device.type != "cuda":
        return found | {"driver": "not run: no CUDA device"}
    properties = torch.cuda.get_device_properties(device)
    return found | {
        "driver": _ask_nvidia_smi("driver_version"),
        "clocks": _ask_nvidia_smi("clocks.sm,clocks.max.sm,power.limit,compute_mode,mig.mode.current"),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "capability": f"{properties.major}.{properties.minor}",
        "memory_gib": round(properties.total_memory / 2**30, 1),
        "multiprocessors": properties.multi_processor_count,
    }


def _ask_nvidia_smi(what: str) -> str:
    """Return what nvidia-smi says of all GPUs; it only looks."""
    try:
        command = ("nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader")
        return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=30).stdout.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unknown: {error}"
