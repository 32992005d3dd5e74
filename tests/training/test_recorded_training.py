"""Test that recorded steps train as steps do, to the bit: on a GPU by CUDA graphs, here by a pretended recorder."""

import pytest
import torch
from trainers import TRAIN, VALID, half_masks

from anytime_pruning.foundation import signals
from anytime_pruning.machine.randomness import restore_random_states
from anytime_pruning.pruning.enforcement import apply_masks
from anytime_pruning.training.cuda_graph import RecordedStep
from anytime_pruning.training.progress import MegabatchProgress

needs_gpu = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
# 60 images in batches of 8 are seven full batches and a short one, in each of three epochs; the rate falls after the
# second one. The deterministic kernels of a GPU add in a fixed order.
SETTINGS = {"precision": "bfloat16", "batch_size": 8, "epochs": 3, "lr_milestones": [2], "lr": 0.05}


class Recorder:
    """Records as CUDA does, but without its speed: executes nothing now, and later always uses the recorded tensors."""

    def __init__(self):
        self.recordings, self.replays = 0, 0

    def __call__(self, run):
        self.recordings += 1

        def replay():
            self.replays += 1
            run()

        return replay


class Interrupting:
    """Interrupts training after some steps, as a signal does."""

    def __init__(self, monkeypatch, after):
        self.left = after
        monkeypatch.setattr(signals, "is_due", self.is_due)
        monkeypatch.setattr(signals, "check", self.check)

    def is_due(self):
        self.left -= 1
        return self.left == 0

    def check(self):
        if self.left == 0:
            self.left = -1
            raise KeyboardInterrupt


def train(make, monkeypatch, interrupt_after=None):
    """Train on two megabatches with masks of their own, and go on in new objects after an interruption.

    Returns:
        All losses, accuracies and rates, and all weights, buffers and momenta at the end.
    """
    trainer, rows = make(), []
    for t, density in ((1, 0.5), (2, 0.3)):
        masks, progress = half_masks(trainer.model, density), MegabatchProgress(t)
        apply_masks(trainer.model, masks)
        progress.mark_pruned(0)
        if interrupt_after and t == 2:
            with monkeypatch.context() as patched:
                Interrupting(patched, interrupt_after)
                with pytest.raises(KeyboardInterrupt):
                    trainer.train_megabatch(progress, masks, TRAIN, VALID)
            assert str(progress) == "megabatch 2, epoch 2, step 7"
            trainer, progress = continued(make(), trainer, progress)
        training = trainer.train_megabatch(progress, masks, TRAIN, VALID)
        rows += [(row.lr, row.train_loss, row.train_acc_running_pct, row.valid_loss) for row in training.epochs]
    return rows, [*trainer.model.state_dict().values(), *trainer.optimizer.velocities], trainer


def continued(new, old, progress):
    """Bring a new trainer to the state of an interrupted one by way of what a checkpoint holds."""
    content = progress.to_json()
    tensors = {name: tensor.cpu().clone() for name, tensor in progress.tensors().items()}
    new.model.load_state_dict({name: tensor.cpu().clone() for name, tensor in old.model.state_dict().items()})
    for mine, theirs in zip(new.optimizer.velocities, old.optimizer.velocities, strict=True):
        mine.copy_(theirs.cpu())
    device = new.data.images.device
    restore_random_states(old.random_states, new.generator, device)
    new.mark()
    return new, MegabatchProgress.restored(content, tensors, device)


@pytest.fixture
def fixed_kernels(monkeypatch):
    """Choose kernels that repeat their bits; a choice by speed could differ from one training to another."""
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])
@pytest.mark.parametrize("interrupt_after", [None, 14], ids=["at once", "in two parts"])
def test_recorded_training_is_that_without_a_recording_to_the_bit(
    make_trainer, device, interrupt_after, monkeypatch, fixed_kernels
):
    """Compare over a milestone, a change of masks, short batches, and a resumption in mid-epoch after a short batch."""
    recorder = Recorder() if device == "cpu" else None

    def make(records):
        trainer = make_trainer(device, recorder if records else None, channels_last=True, **SETTINGS)
        if not records and isinstance(trainer.step, RecordedStep):
            trainer.step._record = None
        return trainer

    rows, tensors, plain = train(lambda: make(False), monkeypatch)
    recorded_rows, recorded_tensors, trainer = train(lambda: make(True), monkeypatch, interrupt_after)
    assert recorded_rows == rows
    assert all(torch.equal(one, other) for one, other in zip(tensors, recorded_tensors, strict=True))
    assert [rate for rate, *_ in rows] == pytest.approx([0.05, 0.05, 0.005] * 2)
    assert trainer.step.is_recorded
    assert not (isinstance(plain.step, RecordedStep) and plain.step.is_recorded)
    if recorder:
        # 42 full batches come from two megabatches. The first three run as they are in each process, and again after
        # the first masks, which belong to other weights than no masks did.
        assert recorder.recordings == (2 if interrupt_after else 1)
        assert recorder.replays == 42 - 3 * recorder.recordings
