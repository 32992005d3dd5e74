"""Record a training step as a CUDA graph."""

from collections.abc import Callable

import torch
from torch import Tensor

from anytime_pruning.foundation.console import warn


class RecordedStep:
    """A step that is recorded once and then replayed: one launch for the GPU instead of a thousand.

    A recording holds for one batch size and for tensors that stay where they are. The first full batches and all
    batches of another size, such as the last one of an epoch, take the step as it is; if it cannot be recorded, all do.

    Args:
        step: what to record; it reads and changes tensors that keep their place, and returns tensors.
        batch_size: of the batches to record.
        record: runs a function once while recording it, returns what replays it. Another one for tests.
    """

    WARM_UP = 3  # full batches until all memory is laid out and all kernels are chosen

    def __init__(
        self,
        step: Callable[..., tuple[Tensor, ...]],
        batch_size: int,
        record: Callable[[Callable[[], None]], Callable[[], None]] | None = None,
    ):
        self._step, self._batch_size, self._record = step, batch_size, record or record_cuda_graph
        self.forget()

    def forget(self) -> None:
        """Record anew: a tensor has moved."""
        self._count, self._replay, self._inputs, self._outputs = 0, None, (), ()

    def __call__(self, *batch: Tensor) -> tuple[Tensor, ...]:
        """As the step; what is returned holds until the next call."""
        if self._record is None or len(batch[0]) != self._batch_size:
            return self._step(*batch)
        self._count += 1
        if self._count <= self.WARM_UP:
            return self._step(*batch)
        if self._replay is None:
            self._inputs = tuple(part.clone() for part in batch)
            if not self._try_to_record():
                return self._step(*batch)
        for kept, part in zip(self._inputs, batch):
            kept.copy_(part)
        self._replay()
        return self._outputs

    def _try_to_record(self) -> bool:
        def run() -> None:
            self._outputs = self._step(*self._inputs)

        try:
            self._replay = self._record(run)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            warn(f"model: it cannot be recorded as a CUDA graph and trains more slowly ({reason})")
            self._record = None
        return self._record is not None


def record_cuda_graph(run: Callable[[], None]) -> Callable[[], None]:
    """Record what a function launches, without executing it."""
    graph = torch.cuda.CUDAGraph()
    torch.cuda.synchronize()
    with torch.cuda.graph(graph):
        run()
    return graph.replay
