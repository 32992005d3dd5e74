"""Test when checkpoints are written, by a made-up clock, and what the next process gets from them."""

import signal
from types import SimpleNamespace

import pytest
import torch

from anytime_pruning.foundation.signals import Interrupted
from anytime_pruning.results.rows import EpochRow
from anytime_pruning.runs.checkpointing.checkpointer import Checkpointer, CheckpointOptions
from anytime_pruning.runs.checkpointing.files import Checkpoints
from anytime_pruning.training.progress import EpochProgress, MegabatchProgress

KEPT = "the same command goes on from the last checkpoint"


class State:
    """Stands for the state of a run that has come to the second megabatch."""

    def __init__(self, value=0):
        self.progress = MegabatchProgress(t=2, is_pruned=True, epochs=[epoch(1)])
        self.value = value

    def to_json(self):
        return {"value": self.value}

    def tensors(self):
        return {"weight": torch.full((2,), float(self.value))}

    def restore(self, content, tensors):
        assert torch.equal(tensors["weight"], torch.full((2,), float(content["value"])))
        self.value = content["value"]


class Computer:
    """Has a clock that stands still between the calls, and a disk on which every checkpoint takes some seconds."""

    def __init__(self, folder, write_seconds):
        self.now = 500.0
        self.written = 0
        self.files = Checkpoints(folder, {})
        self.write_seconds, self._write = write_seconds, self.files.write
        self.files.write = self.write

    def write(self, content, tensors):
        self.now += self.write_seconds
        self.written += 1
        return self._write(content, tensors)

    def start(self, state=None, share=1.0, every_epochs=1, name="first"):
        options = CheckpointOptions(self.files, every_epochs, share, lambda: {"code": name}, self.now)
        return Checkpointer(options, state or State())


@pytest.fixture
def computer(tmp_path, monkeypatch):
    made = Computer(tmp_path / "resume", write_seconds=4.0)
    clock = SimpleNamespace(perf_counter=lambda: made.now)
    monkeypatch.setattr("anytime_pruning.runs.checkpointing.checkpointer.time", clock)
    return made


def epoch(number):
    return EpochRow(2, number, 0.1, 50, 1.0, 50.0, 1.0, 50.0, 1.0)


def test_the_next_process_has_the_state_the_seconds_and_the_earlier_parts(computer):
    first = computer.start(State(7))
    assert (first.has_begun, first.resumed, first.seconds) == (False, [], 0.0)
    computer.now += 10
    first.write()
    assert first.seconds == 14
    computer.now += 1000  # nothing runs
    state = State()
    second = computer.start(state, name="second")
    assert (second.has_begun, state.value) == (True, 7)
    assert second.resumed == [{"t": 2, "epochs": 1, "step": 0, "code": "first"}]
    assert second.seconds == 10  # the first process wrote no seconds after those before its checkpoint
    computer.now += 20
    assert second.seconds == 30
    state.progress.current = EpochProgress(torch.zeros(1), torch.zeros(5), torch.zeros(()), step=3)
    second.write()
    third = computer.start(name="third")
    assert third.resumed == [*second.resumed, {"t": 2, "epochs": 1, "step": 3, "code": "second"}]
    assert third.seconds == 30


def written_after(computer, checkpointer, count):
    """Return the epochs of one second each after which a checkpoint is written."""
    epochs = []
    for number in range(1, count + 1):
        computer.now += 1
        before = computer.written
        checkpointer.epoch_done(epoch(number))
        epochs += [number] * (computer.written - before)
    return epochs


def test_checkpoints_come_every_few_epochs(computer):
    assert written_after(computer, computer.start(every_epochs=3), 10) == [3, 6, 9]


@pytest.mark.parametrize(
    ("share", "epochs"),
    [
        (1.0, list(range(1, 17))),  # though a checkpoint takes as long as four epochs
        # With the second one, 8 of 16 seconds are spent; each later one is due after four epochs, which take 4 seconds.
        (0.5, [1, 8, 12, 16]),
        (0.0, [1]),  # before the first, none has taken any time
    ],
)
def test_checkpoints_take_no_more_than_their_share_of_the_time(share, epochs, computer):
    assert written_after(computer, computer.start(share=share), 16) == epochs


def interrupted(checkpointer, is_safe):
    with pytest.raises(Interrupted) as caught, checkpointer:
        raise Interrupted(signal.SIGTERM, is_safe)
    return caught.value


def test_an_interrupt_is_followed_by_a_checkpoint_where_the_run_can_go_on(computer):
    assert interrupted(computer.start(), is_safe=True).kept == (
        "kept at megabatch 2, after epoch 1; the same command goes on from there"
    )
    assert computer.written == 1


@pytest.mark.parametrize(("is_safe", "is_pruned"), [(False, True), (True, False), (False, False)])
def test_an_interrupt_in_the_middle_of_something_leaves_the_last_checkpoint(is_safe, is_pruned, computer):
    checkpointer = computer.start(state := State())
    state.progress.is_pruned = is_pruned
    assert interrupted(checkpointer, is_safe).kept == ""
    assert computer.written == 0
    checkpointer.write()
    assert interrupted(checkpointer, is_safe).kept == KEPT
    assert computer.written == 1


def test_a_second_interrupt_while_a_checkpoint_is_written_says_what_is_kept(computer, monkeypatch):
    checkpointer = computer.start()
    checkpointer.write()

    def interrupt(content, tensors):
        raise Interrupted(signal.SIGINT, is_safe=False)

    monkeypatch.setattr(computer.files, "write", interrupt)
    second = interrupted(checkpointer, is_safe=True)
    assert (second.signum, second.kept) == (signal.SIGINT, KEPT)


def test_neither_a_fault_nor_the_end_of_a_run_writes_a_checkpoint(computer):
    with pytest.raises(ValueError, match="a fault"), computer.start():
        raise ValueError("a fault")
    with computer.start():
        pass
    assert computer.written == 0
