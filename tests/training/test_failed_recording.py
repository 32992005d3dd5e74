"""Test that a recording that fails, or that is empty, does not change what is trained."""

import pytest
import torch
from trainers import TRAIN, VALID, half_masks

from anytime_pruning.foundation.errors import CapacityError, InvariantError
from anytime_pruning.machine.memory import out_of_memory_as_capacity_error
from anytime_pruning.training.cuda_graph import RecordedStep
from anytime_pruning.training.progress import MegabatchProgress


def fail_after_the_step(run):
    """Fail as late as possible: gradients came and went, and the weights, the momentum and the counters have moved."""
    run()
    raise RuntimeError("operation not permitted when stream is capturing\nmore")


def fail_within_the_step(trainer):
    """Return a recorder that fails between the backward pass and the update, so that gradients stay."""

    def record(run):
        def refuse():
            raise RuntimeError("cannot wait for the device while recording")

        trainer.optimizer.step, original = refuse, trainer.optimizer.step
        try:
            run()
        finally:
            trainer.optimizer.step = original

    return record


def train(trainer):
    training = trainer.train_megabatch(MegabatchProgress(1), half_masks(trainer.model), TRAIN, VALID)
    rows = [(row.train_loss, row.valid_loss, row.train_acc_running_pct) for row in training.epochs]
    tensors = [*trainer.model.state_dict().values(), *trainer.optimizer.velocities]
    return rows, [tensor.clone() for tensor in tensors], trainer.generator.get_state()


def assert_same(one, other):
    assert one[0] == other[0]
    assert all(torch.equal(a, b) for a, b in zip(one[1], other[1], strict=True))
    assert torch.equal(one[2], other[2])


@pytest.mark.parametrize("when", ["after the step", "within the step"])
def test_after_a_failed_recording_training_is_that_without_one_to_the_bit(make_trainer, when, capsys):
    settings = {"batch_size": 8, "epochs": 2}
    expected = train(make_trainer(**settings))
    attempts = []

    def record(run):
        attempts.append(1)
        (fail_after_the_step if when == "after the step" else fail_within_the_step(trainer))(run)

    trainer = make_trainer(record=record, **settings)
    assert isinstance(trainer.step, RecordedStep)
    assert_same(train(trainer), expected)
    assert attempts == [1]  # one attempt, and then none
    assert not trainer.step.is_recorded
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: model: it cannot be recorded as a CUDA graph and trains more slowly (")


def test_gradients_that_something_left_behind_are_not_added(make_trainer):
    expected, trainer = train(make_trainer(batch_size=8)), make_trainer(batch_size=8)
    for parameter in trainer.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    assert_same(train(trainer), expected)


def nested(first):
    """Return a recorder whose end fails because of a first error, as CUDA does."""

    def record(run):
        try:
            run()
            raise first
        finally:
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture\nSearch for it")

    return record


def test_the_warning_names_the_first_cause(make_trainer, capsys):
    train(make_trainer(batch_size=8, record=nested(ValueError("the layer counts\nin Python"))))
    assert capsys.readouterr().err == (
        "warning: model: it cannot be recorded as a CUDA graph and trains more slowly (the layer counts; then: "
        "CUDA error: operation failed due to a previous error during capture)\n"
    )


FULL = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
]


@pytest.mark.parametrize("first", FULL, ids=["torch", "CUDA", "cuDNN"])
@pytest.mark.parametrize("is_nested", [True, False])
def test_too_little_memory_for_a_recording_is_not_swallowed(make_trainer, first, is_nested, capsys):
    def record(run):
        run()
        raise first

    trainer = make_trainer(batch_size=8, record=nested(first) if is_nested else record)
    message = r"^out of memory: lower something$"
    with pytest.raises(CapacityError, match=message), out_of_memory_as_capacity_error(lambda: "lower something"):
        train(trainer)
    assert capsys.readouterr().err == ""
    assert all(parameter.grad is None for parameter in trainer.model.parameters())


def test_an_error_that_was_handled_before_is_not_the_cause(make_trainer, capsys):
    def train_again_while_handling():
        try:
            raise MemoryError
        except MemoryError:
            train(make_trainer(batch_size=8, record=fail_after_the_step))

    train_again_while_handling()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("(operation not permitted when stream is capturing)")


def record_nothing(run):
    """Execute the step while it should be recorded, as it happens with a stream of another GPU, and replay nothing."""
    run()
    return lambda: None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64])
def test_an_empty_recording_is_an_error(dtype):
    total = torch.zeros(3, dtype=dtype)

    def step(indices):
        total.add_(1)
        return (total.clone(),)

    recorded = RecordedStep(step, 4, record_nothing)
    for _ in range(RecordedStep.WARM_UP):
        recorded(torch.arange(4))
    with pytest.raises(InvariantError, match="wrote no result on cpu, so nothing would be trained"):
        recorded(torch.arange(4))


def test_a_run_with_an_empty_recording_does_not_end_as_if_it_were_trained(make_trainer):
    with pytest.raises(InvariantError, match="wrote no result"):
        train(make_trainer(batch_size=8, record=record_nothing))
