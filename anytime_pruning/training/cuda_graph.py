"""Record a training step as a CUDA graph, and replay the recording."""

from collections.abc import Callable

import torch
from torch import Tensor

from anytime_pruning.foundation.console import warn

Step = Callable[..., tuple[Tensor, ...]]


class RecordedStep:
    """Records a step once and then replays the recording: one launch on the GPU instead of a thousand.

    A recording is valid for one batch size and for tensors that stay at their place in memory. The step runs without a
    recording for the first full batches and for all batches of another size, such as the last one of an epoch. If the
    step cannot be recorded, it runs like this for all batches.

    Args:
        step: a function that reads and changes tensors at fixed places in memory, and returns tensors.
        batch_size: size of the batches to record.
        record: records a function and returns a function that replays the recording; tests pass a replacement.
    """

    WARM_UP = 3  # full batches until all memory is allocated and all kernels are chosen

    def __init__(
        self,
        step: Step,
        batch_size: int,
        record: Callable[[Callable[[], None]], Callable[[], None]] | None = None,
    ):
        self._step, self._batch_size = step, batch_size
        self._record: Callable[[Callable[[], None]], Callable[[], None]] | None = record or record_cuda_graph
        self.forget()

    def forget(self) -> None:
        """Drop the recording, because a tensor has moved; the step is recorded again later."""
        self._count = 0
        self._replay: Callable[[], None] | None = None
        self._inputs: tuple[Tensor, ...] = ()
        self._outputs: tuple[Tensor, ...] = ()

    def __call__(self, *batch: Tensor) -> tuple[Tensor, ...]:
        """Train on one batch, as the step does; the returned tensors are valid until the next call."""
        if self._record is None or len(batch[0]) != self._batch_size:
            return self._step(*batch)
        self._count += 1
        if self._count <= self.WARM_UP:
            return self._step(*batch)
        if self._replay is None:
            self._inputs = tuple(part.clone() for part in batch)
            self._try_to_record()
        if self._replay is None:
            return self._step(*batch)
        for kept, part in zip(self._inputs, batch):
            kept.copy_(part)
        self._replay()
        return self._outputs

    def _try_to_record(self) -> None:
        def run() -> None:
            self._outputs = self._step(*self._inputs)

        if self._record is None:
            return
        try:
            self._replay = self._record(run)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            warn(f"model: it cannot be recorded as a CUDA graph and trains more slowly ({reason})")
            self._record = None


def record_cuda_graph(run: Callable[[], None]) -> Callable[[], None]:
    """Record what a function launches, without executing it, and return a function that replays the recording."""
    graph = torch.cuda.CUDAGraph()
    torch.cuda.synchronize()
    with torch.cuda.graph(graph):
        run()
    replay: Callable[[], None] = graph.replay
    return replay
