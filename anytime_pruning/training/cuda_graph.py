"""Record a training step as a CUDA graph, and replay the recording."""

import random
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.errors import InvariantError, causes, first_line
from anytime_pruning.machine.memory import is_out_of_memory
from anytime_pruning.machine.preservation import Snapshot
from anytime_pruning.training.capture import record_cuda_graph

Step = Callable[..., tuple[Tensor, ...]]
# Records a function and returns a function that replays the recording.
Recorder = Callable[[Callable[[], None]], Callable[[], None]]


class RecordedStep:
    """Records a step once and then replays the recording: one launch on the GPU instead of a thousand.

    A recording is valid for one batch size and for tensors that stay at their place in memory. The step runs without a
    recording for the first full batches and for all batches of another size, such as the last one of an epoch. If the
    step cannot be recorded, everything becomes as it was before the attempt, and all batches run without a recording. A
    step that changes something in Python is not recorded either, because a replay would repeat what Python decided
    once, such as which layers to leave out.

    Args:
        step: a function that reads and changes tensors at fixed places in memory, and returns other tensors.
        batch_size: size of the batches to record.
        record: records a function on the GPU of the batches if it is None; tests pass a replacement.
        look: returns what a step may change in Python, such as states of random generators; None looks at nothing.
        keep: keeps the state that a step changes, and returns a function that brings this state back; None keeps none.
    """

    WARM_UP = 3  # full batches until all memory is allocated and all kernels are chosen

    def __init__(
        self,
        step: Step,
        batch_size: int,
        record: Recorder | None = None,
        look: Callable[[], object] | None = None,
        keep: Callable[[], Callable[[], None]] | None = None,
    ):
        self._step, self._batch_size, self._look, self._keep = step, batch_size, look, keep
        self._record: Recorder | None = record or self._record_on_gpu
        self.forget()

    @property
    def is_recorded(self) -> bool:
        """Return whether full batches are replayed from now on."""
        return self._replay is not None

    def forget(self) -> None:
        """Drop the recording, because a tensor has moved; the step is recorded again later."""
        self._count = 0
        self._replay: Callable[[], None] | None = None
        self._inputs: tuple[Tensor, ...] = ()
        self._outputs: tuple[Tensor, ...] = ()

    def __call__(self, *batch: Tensor) -> tuple[Tensor, ...]:
        """Train on one batch, as the step does; the returned tensors are valid until the next call.

        Raises:
            InvariantError: a replay wrote no result.
            OutOfMemoryError: the step was recorded, and the memory was too small.
        """
        if self._record is None or len(batch[0]) != self._batch_size:
            return self._step(*batch)
        self._count += 1
        if self._count <= self.WARM_UP:
            return self._watched_step(*batch)
        if self._replay is None:
            with _waiting_allowed(batch[0].device):
                return self._record_and_replay(self._record, batch)
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

    def _record_and_replay(self, record: Recorder, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Record the step and train on a batch by the first replay, or without a recording if it fails."""
        restore = self._keep() if self._keep else None
        reason, is_full, handled = "", False, sys.exception()
        try:
            self._inputs = tuple(part.clone() for part in batch)
            self._replay = record(self._run)
        except Exception as error:
            reason = "; then: ".join(map(first_line, causes(error, handled)))
            is_full = is_out_of_memory(error, handled)
        if self._replay is not None:
            self._replay_for_the_first_time(self._replay)
            return self._outputs
        # This is outside the handler, so that the error's traceback keeps no tensors of the recording alive.
        self.forget()
        if restore:
            restore()
        if is_full:
            raise torch.OutOfMemoryError(reason)
        self._give_up(reason)
        return self._step(*batch)

    def _run(self) -> None:
        self._outputs = self._step(*self._inputs)

    def _record_on_gpu(self, run: Callable[[], None]) -> Callable[[], None]:
        return record_cuda_graph(run, self._inputs[0].device)

    def _replay_for_the_first_time(self, replay: Callable[[], None]) -> None:
        """Replay the recording, and make sure that it has written its results.

        A recording on a wrong device or stream is empty. Its replays would do nothing, without an error.
        """
        for output in self._outputs:
            if output.dtype in IMPOSSIBLE:
                output.detach().fill_(IMPOSSIBLE[output.dtype])
        replay()
        checked = [output for output in self._outputs if output.dtype in IMPOSSIBLE]
        if any(bool((output == IMPOSSIBLE[output.dtype]).any()) for output in checked):
            raise InvariantError(
                f"model: the recorded training step wrote no result on {self._inputs[0].device}, so nothing would be "
                "trained; let the program see this GPU alone, with CUDA_VISIBLE_DEVICES"
            )


# Neither a loss nor a count has such a value, so it shows that a tensor has not been written.
IMPOSSIBLE: dict[torch.dtype, float | int] = {
    **dict.fromkeys((torch.float16, torch.bfloat16, torch.float32, torch.float64), float("-inf")),
    **{dtype: torch.iinfo(dtype).min for dtype in (torch.int32, torch.int64)},
}


@contextmanager
def _waiting_allowed(device: torch.device) -> Iterator[None]:
    """Let the program wait for a GPU, even if torch was told to refuse this in training steps."""
    mode = torch.cuda.get_sync_debug_mode() if device.type == "cuda" else 0
    if not mode:
        # Setting the mode, even to what it is, makes torch warn of a prototype.
        yield
        return
    torch.cuda.set_sync_debug_mode("default")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(mode)


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


def kept_state(model: nn.Module, others: Iterable[Tensor]) -> Callable[[], None]:
    """Keep the state of a network, of other tensors and of all random generators, and return what brings it back."""
    return Snapshot(model, others, on_host=True).restore
