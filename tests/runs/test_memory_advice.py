"""Test what is said when the memory is too small: only settings that would help."""

from functools import partial

import pytest
import torch

import anytime_pruning.runs.memory_advice
from anytime_pruning import run_stream
from anytime_pruning.foundation.errors import CapacityError, SettingError
from anytime_pruning.machine.memory import is_out_of_memory, out_of_memory_as_capacity_error
from anytime_pruning.runs.memory_advice import advice_on_memory
from anytime_pruning.settings.run import parse_settings

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
FOLDER = {"name": "toy", "source": "image_folder", "path": "images", "image_size": 224, "content_sha256": "0" * 64}


def allocate_too_much():
    torch.empty(2**60)  # fails with the error that torch raises on a CPU


def run_out_of_gpu_memory():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def run_out_of_memory():
    raise MemoryError


@pytest.mark.parametrize("work", [allocate_too_much, run_out_of_gpu_memory, run_out_of_memory])
def test_out_of_memory_names_the_settings_to_lower(work, tiny):
    advise = partial(advice_on_memory, parse_settings(tiny(execution={"gpu_slots": 3})), torch.device("cuda"))
    message = r"batch_size 16 and execution\.gpu_slots 3 does not fit; lower"
    with pytest.raises(CapacityError, match=message), out_of_memory_as_capacity_error(advise):
        work()


@pytest.mark.parametrize(
    "text",
    [
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported at some other API call",
        "CUDA driver error: out of memory",
        "Triton Error [CUDA]: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    ],
)
def test_a_failed_allocation_of_cuda_is_known_by_its_message(text):
    assert is_out_of_memory(RuntimeError(text))
    assert not is_out_of_memory(ValueError(text))


@pytest.mark.parametrize("caller", ["U", "GET was u", "FIND was u"])
def test_a_convolution_without_a_way_lacks_memory_if_torch_was_refused_some(caller, monkeypatch):
    error = RuntimeError(f"{caller}nable to find an engine to execute this computation")
    for counted, lacks in (({}, False), ({"num_ooms": 0}, False), ({"num_ooms": 3}, True)):
        monkeypatch.setattr(torch.cuda, "memory_stats", lambda counted=counted: counted)
        assert is_out_of_memory(error) is lacks


def test_other_errors_pass_through():
    with pytest.raises(RuntimeError, match="something else"), out_of_memory_as_capacity_error(lambda: "nothing"):
        raise RuntimeError("something else")


def hide_a_lack_of_memory():
    try:
        run_out_of_gpu_memory()
    except RuntimeError:
        raise ValueError("a network's own message") from None


def answer_a_lack_of_memory():
    try:
        run_out_of_memory()
    except MemoryError as error:
        raise SettingError("tau: 7 is not allowed") from error


def fail_otherwise_while_handling():
    try:
        run_out_of_memory()
    except MemoryError:
        with out_of_memory_as_capacity_error(lambda: "nothing"):
            raise RuntimeError("something else")  # noqa: B904


def test_an_error_that_hides_a_lack_of_memory_is_one_of_memory():
    message = r"^out of memory: lower it$"
    with pytest.raises(CapacityError, match=message), out_of_memory_as_capacity_error(lambda: "lower it"):
        hide_a_lack_of_memory()


def test_a_message_for_the_user_stays_as_it_is():
    message = r"^tau: 7 is not allowed$"
    with pytest.raises(SettingError, match=message), out_of_memory_as_capacity_error(lambda: "nothing"):
        answer_a_lack_of_memory()


def test_an_error_in_the_handling_of_an_earlier_lack_of_memory_is_another_one():
    with pytest.raises(RuntimeError, match="something else"):
        fail_otherwise_while_handling()


@pytest.fixture
def advise(tiny, monkeypatch):
    """Return a function that gives the advice for a kind of work, with bfloat16 native or not."""

    def give(device, work="training", native=False, **changes):
        monkeypatch.setattr(anytime_pruning.runs.memory_advice, "has_native_bfloat16", lambda device: native)
        settings = parse_settings(tiny(**{"precision": "float32", "execution": {"gpu_slots": 4}} | changes))
        return advice_on_memory(settings, device, work)

    return give


def test_slots_are_named_only_on_a_gpu_that_is_shared(advise):
    assert advise(GPU) == (
        "resnet20 with batch_size 16 and execution.gpu_slots 4 does not fit; lower one of the two, or run fewer jobs "
        "at once"
    )
    alone = "resnet20 with batch_size 16 does not fit; lower it, or run fewer jobs at once"
    assert advise(CPU) == advise(GPU, execution={}) == alone


def test_the_batches_of_evaluation_do_not_follow_the_batch_size(advise):
    assert advise(CPU, "evaluation") == "the evaluation of resnet20 does not fit; run fewer jobs at once"
    assert advise(GPU, "evaluation", dataset=FOLDER) == (
        "the evaluation of resnet20 with image_size 224 and execution.gpu_slots 4 does not fit; lower one of the two, "
        "or run fewer jobs at once"
    )


def test_the_batches_of_the_released_scoring_do_not_follow_the_batch_size(advise):
    assert "scoring resnet20 with batch_size 16 does" in advise(CPU, "scoring")
    assert advise(CPU, "scoring", protocol="released") == "scoring resnet20 does not fit; run fewer jobs at once"


def test_half_the_precision_is_offered_where_it_is_fast_and_not_yet_taken(advise):
    assert advise(GPU, native=True, dataset=FOLDER) == (
        "resnet20 with batch_size 16, image_size 224 and execution.gpu_slots 4 does not fit; lower one of the three, "
        "set precision to bfloat16, or run fewer jobs at once"
    )
    assert advise(CPU, "evaluation", native=True) == (
        "the evaluation of resnet20 does not fit; set precision to bfloat16, or run fewer jobs at once"
    )
    assert "bfloat16" not in advise(GPU, native=True, precision="bfloat16")


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (2, "a trial of resnet20 does not fit; run fewer jobs at once"),
        (7, "scoring resnet20 with batch_size 12 does not fit; lower it, or run fewer jobs at once"),
        (12, "resnet20 with batch_size 12 does not fit; lower it, or run fewer jobs at once"),
        (100, "the evaluation of resnet20 does not fit; run fewer jobs at once"),
    ],
)
def test_a_run_names_the_work_that_needed_the_memory(size, message, tiny, tmp_path, monkeypatch):
    """Let convolutions of one batch size fail: two images are tried out, seven scored on, and 100 tested on at once."""
    forward = torch.nn.Conv2d.forward

    def full(self, maps):
        if len(maps) == size:
            torch.empty(2**60)
        return forward(self, maps)

    monkeypatch.setattr(torch.nn.Conv2d, "forward", full)
    # Otherwise the precision would be named where the processor is fast in bfloat16.
    monkeypatch.setattr(anytime_pruning.runs.memory_advice, "has_native_bfloat16", lambda device: False)
    with pytest.raises(CapacityError) as caught:
        run_stream(tiny(n_megabatches=1, epochs=1, train_limit=40, batch_size=12, precision="float32"), tmp_path)
    assert str(caught.value) == f"out of memory: {message}"
    assert not (tmp_path / "metrics.json").exists()
