"""Test how the trainer trains on one megabatch."""

import pytest
import torch
from trainers import TRAIN, VALID, half_masks

from anytime_pruning.foundation.errors import DivergenceError
from anytime_pruning.machine.randomness import make_generator
from anytime_pruning.pruning.enforcement import MaskEnforcer, apply_masks
from anytime_pruning.pruning.prunable import prunable_weights
from anytime_pruning.runs.rates import learning_rate
from anytime_pruning.settings.run import parse_settings
from anytime_pruning.stream.images import ImageSet
from anytime_pruning.training.evaluation import Evaluation, evaluate
from anytime_pruning.training.progress import MegabatchProgress


def test_lr_falls_after_each_milestone_and_starts_anew_for_each_megabatch(tiny):
    settings = parse_settings(tiny(lr=0.1, lr_milestones=[20, 40], epochs=50))
    rates = [learning_rate(settings).of_epoch(epoch) for epoch in range(1, 51)]
    assert rates == pytest.approx([0.1] * 20 + [0.01] * 20 + [0.001] * 10)


def test_the_optimiser_gets_the_scheduled_rate(make_trainer):
    trainer = make_trainer(epochs=3, lr_milestones=[1, 2], lr=0.04)
    training = trainer.train_megabatch(MegabatchProgress(1), {}, TRAIN, VALID)
    assert [epoch.lr for epoch in training.epochs] == pytest.approx([0.04, 0.004, 0.0004])
    assert float(trainer.optimizer._lr) == pytest.approx(0.0004)


def test_the_rate_rises_from_step_to_step_in_warm_up_at_each_megabatch(make_trainer, monkeypatch):
    trainer = make_trainer(epochs=3, warmup_epochs=2, lr_milestones=[1], lr=0.08, batch_size=15)
    step, used = type(trainer.step).__call__, []

    def watched(self, *batch):
        used.append(float(trainer.optimizer._lr))
        return step(self, *batch)

    monkeypatch.setattr(type(trainer.step), "__call__", watched)
    for t in (1, 2):
        used.clear()
        training = trainer.train_megabatch(MegabatchProgress(t), {}, TRAIN, VALID)
        # An epoch has four steps, and the rate would rise to 0.08 in eight steps. The milestone after the first epoch
        # divides the rate by ten.
        assert used == pytest.approx([0.01, 0.02, 0.03, 0.04, 0.005, 0.006, 0.007, 0.008] + [0.008] * 4)
        assert [epoch.lr for epoch in training.epochs] == pytest.approx([0.04, 0.008, 0.008])


def test_pruned_weights_are_exactly_zero_after_every_step(make_trainer, monkeypatch):
    trainer = make_trainer()
    masks = half_masks(trainer.model)
    apply_masks(trainer.model, masks)
    weights = prunable_weights(trainer.model)
    moved, left_zero = [], []
    enforce = MaskEnforcer.enforce

    def watched_forward(*args):
        # Before each forward pass, the network holds the weights that the step before left.
        left_zero.append(all(bool((weights[name][~mask] == 0).all()) for name, mask in masks.items()))

    def watched_enforce(self):
        moved.append(any(bool((weights[name][~mask] != 0).any()) for name, mask in masks.items()))
        enforce(self)

    monkeypatch.setattr(MaskEnforcer, "enforce", watched_enforce)
    trainer.model.register_forward_pre_hook(watched_forward)
    trainer.train_megabatch(MegabatchProgress(1), masks, TRAIN, VALID)
    assert any(moved)  # SGD alone does move pruned weights, so the test can fail.
    assert len(left_zero) > 8
    assert all(left_zero)


def test_the_weights_of_the_best_validation_are_restored(make_trainer):
    trainer = make_trainer(epochs=4)
    states = []

    def remember(epoch):
        states.append({name: tensor.clone() for name, tensor in trainer.model.state_dict().items()})

    training = trainer.train_megabatch(MegabatchProgress(1), {}, TRAIN, VALID, [remember])
    accuracies = [epoch.valid_acc_pct for epoch in training.epochs]
    best = states[training.best_epoch - 1]
    assert training.best_epoch == accuracies.index(max(accuracies)) + 1
    assert all(torch.equal(tensor, best[name]) for name, tensor in trainer.model.state_dict().items())
    assert evaluate(trainer.model, trainer.data, VALID).acc_pct == max(accuracies)


def test_momentum_lives_on_across_megabatches(make_trainer):
    trainer = make_trainer(epochs=1)
    trainer.train_megabatch(MegabatchProgress(1), {}, TRAIN, VALID)
    (velocity, *_) = trainer.optimizer.velocities
    before = velocity.clone()
    seen = []
    trainer.model.register_forward_pre_hook(lambda *_: seen.append(velocity.clone()))
    trainer.train_megabatch(MegabatchProgress(2), {}, TRAIN, VALID)
    assert torch.equal(seen[0], before)
    assert not torch.equal(seen[1], before)
    assert before.abs().sum() > 0


def test_running_accuracy_and_loss_are_means_over_samples(make_trainer):
    """Train at a rate so small that weights do not move, so that each batch's loss can be computed afterwards."""
    trainer = make_trainer(lr=1e-12, epochs=1, augment=False, batch_size=32)
    training = trainer.train_megabatch(MegabatchProgress(1), {}, TRAIN, VALID)
    order = TRAIN[torch.randperm(60, generator=make_generator(0, "training"))]
    trainer.model.train()
    losses, correct = 0.0, 0
    with torch.no_grad():
        for images, labels in trainer.data.batches(order, 32):
            logits = trainer.model(images)
            losses += torch.nn.functional.cross_entropy(logits, labels, reduction="sum").item()
            correct += int((logits.argmax(1) == labels).sum())
    assert training.epochs[0].train_loss == pytest.approx(losses / 60, rel=1e-5)
    assert training.epochs[0].train_acc_running_pct == pytest.approx(100 * correct / 60)


def test_clean_terms_are_of_the_last_epoch_without_augmentation(make_trainer):
    trainer = make_trainer(epochs=2)
    last = {}

    def remember(epoch):
        last["train"] = evaluate(trainer.model, trainer.data, TRAIN)

    training = trainer.train_megabatch(MegabatchProgress(1), {}, TRAIN, VALID, [remember])
    assert training.evaluations.train_clean == last["train"]
    assert training.evaluations.valid_augmented.total_count == 20


def test_the_released_protocol_selects_on_augmented_validation(make_trainer, monkeypatch):
    """Check that the paper's protocol augments only the term of the released gap, after the last epoch."""
    augmented = {}
    for protocol in ("paper", "released"):
        trainer = make_trainer(epochs=2, protocol=protocol)
        seen = []
        ours = trainer._evaluate

        def watched(indices, is_augmented=False, ours=ours, seen=seen):
            seen.append(("valid" if indices is VALID else "train", is_augmented))
            return ours(indices, is_augmented)

        monkeypatch.setattr(trainer, "_evaluate", watched)
        training = trainer.train_megabatch(MegabatchProgress(1), {}, TRAIN, VALID)
        augmented[protocol] = seen
        last = training.epochs[-1].valid_acc_pct
        assert (
            last
            == (
                training.evaluations.valid_augmented if protocol == "released" else training.evaluations.valid_clean
            ).acc_pct
        )
    plain, mixed = ("valid", False), ("valid", True)
    assert augmented["paper"] == [plain, plain, ("train", False), mixed]
    assert augmented["released"] == [mixed, mixed, ("train", False), plain]


def test_a_loss_that_is_not_finite_is_named(make_trainer):
    with pytest.raises(DivergenceError, match=r"the loss is (nan|inf) at megabatch 3, epoch \d, step \d of \d"):
        make_trainer(lr=1e30).train_megabatch(MegabatchProgress(3), {}, TRAIN, VALID)


def test_weights_that_break_in_the_last_step_are_noticed(make_trainer):
    """Check that validation finds the fault: the loss of the only step is computed before the step and is finite."""
    with pytest.raises(DivergenceError, match=r"the loss is (nan|inf) at megabatch 1, validation after epoch 1"):
        make_trainer(lr=1e30, epochs=1, batch_size=64).train_megabatch(MegabatchProgress(1), {}, TRAIN, VALID)


def test_bfloat16_keeps_float32_weights_and_trains(make_trainer):
    trainer = make_trainer(precision="bfloat16", epochs=3)
    training = trainer.train_megabatch(MegabatchProgress(1), half_masks(trainer.model), TRAIN, VALID)
    assert {parameter.dtype for parameter in trainer.model.parameters()} == {torch.float32}
    assert training.epochs[-1].train_loss < training.epochs[0].train_loss


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_trains_as_the_cpu_does(make_trainer):
    """Train on enough batches for the step to be recorded and replayed, with a short batch at the end.

    The devices round differently. At the usual rate, a change of the weights by a ten-millionth moves the loss of the
    second epoch by 4 % on a CPU, too; at this rate, a change by a millionth moves it by 0.1 %.
    """
    settings = {"epochs": 2, "batch_size": 8, "lr": 0.001, "lr_milestones": []}
    here, there = make_trainer(**settings), make_trainer("cuda", **settings)
    losses = [
        [
            epoch.train_loss
            for epoch in trainer.train_megabatch(MegabatchProgress(1), half_masks(trainer.model), TRAIN, VALID).epochs
        ]
        for trainer in (here, there)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)
    assert there.step.is_recorded


def test_the_released_protocol_trains_at_its_own_rate_from_the_second_megabatch_on(make_trainer):
    for protocol, later in (("paper", 0.04), ("released", 0.1)):
        trainer = make_trainer(epochs=2, lr_milestones=[1], lr=0.04, protocol=protocol)
        rates = []
        for t in (1, 2):
            training = trainer.train_megabatch(MegabatchProgress(t), {}, TRAIN, VALID)
            rates += [epoch.lr for epoch in training.epochs]
        assert rates == pytest.approx([0.04, 0.004, later, later / 10])
        assert float(trainer.optimizer._lr) == pytest.approx(later / 10)


def test_rounding_of_the_mean_over_batches_selects_among_equal_epochs_of_the_released_protocol(
    make_trainer, monkeypatch
):
    """Check with three epochs of equal counts, the second of which has the largest average by rounding."""
    for protocol, best in (("paper", 1), ("released", 2)):
        trainer = make_trainer(epochs=3, protocol=protocol)
        averages = iter([50.0, 50.0 + 2**-40, 50.0])

        def equal(*args, averages=averages, **kwargs):
            return Evaluation(10, 20, 1.0, next(averages, 50.0))

        monkeypatch.setattr(trainer, "_evaluate", equal)
        assert trainer.train_megabatch(MegabatchProgress(1), {}, TRAIN, VALID).best_epoch == best


def test_the_released_protocol_validates_in_batches_of_the_training_size(make_trainer, monkeypatch):
    sizes = {}
    for protocol in ("paper", "released"):
        trainer = make_trainer(epochs=1, batch_size=6, protocol=protocol)
        seen = sizes[protocol] = []
        take = ImageSet.take

        def watched(self, *batch, seen=seen, take=take):
            seen.append(len(batch[0]))
            return take(self, *batch)

        with monkeypatch.context() as patched:
            patched.setattr(ImageSet, "take", watched)
            trainer._evaluate(torch.arange(19), is_augmented=True)
    assert sizes == {"paper": [19], "released": [6, 6, 6, 1]}


def test_the_released_protocol_keeps_a_single_last_sample_in_training(make_trainer):
    for protocol, n_steps in (("paper", 4), ("released", 5)):
        trainer = make_trainer(epochs=1, batch_size=15, protocol=protocol)
        assert len(trainer.begin_epoch(torch.arange(61)).losses) == n_steps
        training = trainer.train_megabatch(MegabatchProgress(1), {}, torch.arange(61), VALID)
        assert training.epochs[0].samples == 61
