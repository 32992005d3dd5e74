"""Record a training step as a CUDA graph, and replay the recording."""

import random
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from anytime_pruning.foundation.console import warn

Step = Callable[..., tuple[Tensor, ...]]


class RecordedStep:
    """Records a step once and then replays the recording: one launch on the GPU instead of a thousand.

    A recording is valid for one batch size and for tensors that stay at their place in memory. The step runs without a
    recording for the first full batches and for all batches of another size, such as the last one of an epoch. If the
    step cannot be recorded, it runs like this for all batches. A step that changes something in Python is not recorded
    either, because a replay would repeat what Python decided once, such as which layers to leave out.

    Args:
        step: a function that reads and changes tensors at fixed places in memory, and returns tensors.
        batch_size: size of the batches to record.
        record: records a function and returns a function that replays the recording; tests pass a replacement.
        look: returns what a step may change in Python, such as states of random generators; None looks at nothing.
    """

    WARM_UP = 3  # full batches until all memory is allocated and all kernels are chosen

    def __init__(
        self,
        step: Step,
        batch_size: int,
        record: Callable[[Callable[[], None]], Callable[[], None]] | None = None,
        look: Callable[[], object] | None = None,
    ):
        self._step, self._batch_size, self._look = step, batch_size, look
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
            return self._watched_step(*batch)
        if self._replay is None:
            self._inputs = tuple(part.clone() for part in batch)
            self._try_to_record()
        if self._replay is None:
            return self._step(*batch)
        for kept, part in zip(self._inputs, batch):
            kept.copy_(part)
        self._replay()
        return self._outputs

    def _watched_step(self, *batch: Tensor) -> tuple[Tensor, ...]:
        """Run a step without a recording, and give up recording if the step changes something in Python."""
        before = self._look() if self._look else None
        outputs = self._step(*batch)
        if self._look and self._look() != before:
            self._give_up("its forward pass draws or counts in Python")
        return outputs

    def _give_up(self, reason: str) -> None:
        warn(f"model: it cannot be recorded as a CUDA graph and trains more slowly ({reason})")
        self._record = None

    def _try_to_record(self) -> None:
        def run() -> None:
            self._outputs = self._step(*self._inputs)

        if self._record is None:
            return
        try:
            self._replay = self._record(run)
        except Exception as error:
            self._give_up(str(error).strip().partition("\n")[0] or type(error).__name__)


def python_state(model: nn.Module) -> object:
    """Return what a forward pass may change without the GPU: random states and plain attributes of modules.

    A recorded step would keep what followed from them at the time of the recording.
    """
    counts = [
        (name, attribute, value)
        for name, module in model.named_modules()
        for attribute, value in vars(module).items()
        if isinstance(value, int | float | str)
    ]
    numpy_state = np.random.get_state()  # noqa: NPY002  (the global state, which networks of other people may use)
    return random.getstate(), repr(numpy_state), torch.get_rng_state().tolist(), counts


def record_cuda_graph(run: Callable[[], None]) -> Callable[[], None]:
    """Record what a function launches, without executing it, and return a function that replays the recording."""
    graph = torch.cuda.CUDAGraph()
    torch.cuda.synchronize()
    with torch.cuda.graph(graph):
        run()
    replay: Callable[[], None] = graph.replay
    return replay
