"""Test the recording of CUDA graphs against a pretended GPU that keeps torch's rules and torch's faults."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from anytime_pruning.training.capture import record_cuda_graph

SECOND = torch.device("cuda", 1)


class PretendedGpus:
    """Holds what `record_cuda_graph` could leave behind: a current device and stream, and modes of recording.

    As in torch 2.13, a recording whose end fails leaves the allocator and the generator in the mode of recording.
    """

    def __init__(self):
        self.device, self.stream, self.recorded_on = 0, "default", None
        self.allocates_to, self.kept_pools, self.generator_records = None, set(), False
        self.replays = []

    @contextmanager
    def use_device(self, device):
        before, self.device = self.device, device.index
        try:
            yield
        finally:
            self.device = before

    @contextmanager
    def use_stream(self, stream):
        before, self.stream = self.stream, stream
        try:
            yield
        finally:
            self.stream = before

    def end_allocation(self, index, pool):
        if self.allocates_to != (index, pool):
            raise RuntimeError("endAllocatePool: not currently recording to mempool_id")
        self.allocates_to = None

    def release(self, index, pool):
        self.kept_pools.remove((index, pool))

    def is_as_before(self):
        state = (self.device, self.stream, self.recorded_on, self.allocates_to, self.kept_pools, self.generator_records)
        return state == (0, "default", None, None, set(), False)


class PretendedGraph:
    gpus, fails_at_end = None, False

    def __init__(self):
        self.has_ended = False

    def capture_begin(self, pool):
        gpus = self.gpus
        assert gpus.stream == f"side of {gpus.device}", "recorded on a stream of another device"
        gpus.recorded_on, gpus.generator_records = gpus.stream, True
        self.place = gpus.allocates_to = gpus.device, pool
        gpus.kept_pools.add(self.place)

    def capture_end(self):
        gpus = self.gpus
        if gpus.stream != gpus.recorded_on:
            raise RuntimeError("Capture must end on the same stream it began on.")
        gpus.recorded_on = None
        if self.fails_at_end:
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture\nmore")
        gpus.allocates_to, gpus.generator_records, self.has_ended = None, False, True

    def pool(self):
        if not self.has_ended:
            raise RuntimeError("Called CUDAGraph::pool() without a preceding successful capture.")

    def reset(self):
        if self.has_ended:
            self.gpus.kept_pools.remove(self.place)
        self.has_ended = False

    def replay(self):
        self.gpus.replays.append(self.gpus.device)


@pytest.fixture
def gpus(monkeypatch):
    gpus = PretendedGpus()

    def leave_recording(state):
        gpus.generator_records = False

    generator = SimpleNamespace(clone_state=lambda: None, graphsafe_set_state=leave_recording)
    replacements = {
        "CUDAGraph": type("Graph", (PretendedGraph,), {"gpus": gpus}),
        "graph_pool_handle": lambda: (0, 7),
        "device": gpus.use_device,
        "synchronize": lambda: None,
        "empty_cache": lambda: None,
        "Stream": lambda device: f"side of {device.index}",
        "stream": gpus.use_stream,
        "set_stream": lambda stream: setattr(gpus, "stream", stream),
        "current_device": lambda: gpus.device,
        "default_generators": [None, generator],
    }
    for name, replacement in replacements.items():
        monkeypatch.setattr(torch.cuda, name, replacement)
    monkeypatch.setattr(torch._C, "_cuda_endAllocateToPool", gpus.end_allocation, raising=False)
    monkeypatch.setattr(torch._C, "_cuda_releasePool", gpus.release, raising=False)
    return gpus


def test_a_recording_is_made_on_a_stream_of_the_gpu_of_the_tensors(gpus):
    seen = []
    replay = record_cuda_graph(lambda: seen.append((gpus.device, gpus.stream)), SECOND)
    assert seen == [(1, "side of 1")]
    assert (gpus.device, gpus.stream, gpus.recorded_on) == (0, "default", None)
    replay()
    assert gpus.replays == [0]  # a graph knows its own device
    assert gpus.kept_pools == {(1, (0, 7))}  # it still needs its memory


@pytest.mark.parametrize("fails_at_end", [False, True], ids=["the end works", "the end fails"])
def test_a_failed_recording_leaves_no_trace_and_keeps_its_cause(gpus, fails_at_end):
    torch.cuda.CUDAGraph.fails_at_end = fails_at_end

    def run():
        gpus.stream = "one that the network chose"
        raise NotImplementedError("this layer waits for the GPU")

    with pytest.raises((NotImplementedError, RuntimeError)) as caught:
        record_cuda_graph(run, SECOND)
    error = caught.value
    assert "previous error" in str(error) if fails_at_end else isinstance(error, NotImplementedError)
    assert isinstance(error.__context__ if fails_at_end else error, NotImplementedError)
    assert gpus.is_as_before()


def test_a_recording_that_fails_at_its_end_leaves_no_trace(gpus):
    torch.cuda.CUDAGraph.fails_at_end = True
    with pytest.raises(RuntimeError, match="previous error"):
        record_cuda_graph(lambda: None, SECOND)
    assert gpus.is_as_before()
