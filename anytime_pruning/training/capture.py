"""Record what a function launches on a GPU as a CUDA graph, and leave no trace of a recording that fails."""

from collections.abc import Callable
from contextlib import suppress

import torch


def record_cuda_graph(run: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Record what a function launches, without executing it, and return a function that replays the recording.

    Args:
        run: the function; it computes on one GPU only.
        device: this GPU. Only what is launched on a stream of this GPU gets into the recording.

    Raises:
        Exception: what `run` raised, or the end of the recording, which then has the former as its context. The
            process can go on: the current stream and device are those of before, and nothing is being recorded.
    """
    graph, pool = torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle()
    with torch.cuda.device(device):
        torch.cuda.synchronize()
        # The recording gets memory of its own, and the memory that earlier steps freed is in its way.
        torch.cuda.empty_cache()
        try:
            # torch.cuda.graph is not used: after a failure it leaves its stream current (torch 2.13), and without a
            # stream it takes one of the device that was current at the first recording of the process.
            stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch does not annotate it
            with torch.cuda.stream(stream):
                graph.capture_begin(pool=pool)
                try:
                    run()
                finally:
                    torch.cuda.set_stream(stream)
                    graph.capture_end()
        except BaseException:
            _forget(graph, pool)
            raise
    replay: Callable[[], None] = graph.replay
    return replay


def _forget(graph: torch.cuda.CUDAGraph, pool: tuple[int, int]) -> None:
    """Bring torch back from a failed recording on the current device.

    A recording whose end fails leaves torch's allocator and random generator in the mode of recording, so that memory
    is lost and the next dropout raises an error (torch 2.13).
    """
    index = torch.cuda.current_device()
    try:
        graph.pool()  # this fails for a recording that has not ended
    except RuntimeError:
        # The allocator may have left the mode already, or never been in it; both calls then raise an error.
        for undo in (torch._C._cuda_endAllocateToPool, torch._C._cuda_releasePool):
            with suppress(RuntimeError):
                undo(index, pool)
    graph.reset()
    generator = torch.cuda.default_generators[index]
    with suppress(RuntimeError):
        generator.graphsafe_set_state(generator.clone_state())
