"""Train a network on one megabatch: epochs of SGD with the masks enforced after every step, best weights restored."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Generator, Tensor, nn

from anytime_pruning.foundation import signals
from anytime_pruning.foundation.errors import DivergenceError
from anytime_pruning.foundation.metrics import accuracy_pct
from anytime_pruning.machine.randomness import random_states
from anytime_pruning.pruning.masks import Masks
from anytime_pruning.results.rows import Epoch
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.stream.batching import batch_bounds
from anytime_pruning.stream.images import ImageSet
from anytime_pruning.training.cuda_graph import RecordedStep
from anytime_pruning.training.evaluation import Evaluation, evaluate
from anytime_pruning.training.learning_rate import lr_at, lr_of_step
from anytime_pruning.training.progress import Pass, Position
from anytime_pruning.training.sgd import MaskedSGD
from anytime_pruning.training.step import TrainingStep, compile_forward


@dataclass(frozen=True)
class MegabatchTraining:
    """Training on one megabatch. The evaluations are of the last epoch's weights, before the best are restored."""

    epochs: list[Epoch]
    best_epoch: int
    train_clean: Evaluation
    valid_clean: Evaluation
    valid_augmented: Evaluation


class Trainer:
    """A network, its optimiser and its data, trained on one megabatch after another.

    One optimiser serves the whole stream, so that momentum lives on across megabatches.

    Args:
        model: maps images in [0, 1] to logits; on the data's device.
        data: the training set.
        settings: with the precision to compute in; not `auto`.
        generator: draws order and augmentation.
    """

    def __init__(self, model: nn.Module, data: ImageSet, settings: RunSettings, generator: Generator):
        self.model, self.data, self.settings, self.generator = model, data, settings, generator
        self.optimizer = MaskedSGD(model, settings.momentum, settings.weight_decay)
        forward = compile_forward(model, settings.batch_size) if settings.execution.compile else model
        self.step = TrainingStep(forward, data, self.optimizer, settings.precision)
        if data.images.is_cuda:
            self.step = RecordedStep(self.step, settings.batch_size)
        self.augment_with = generator if settings.augment else None
        # The released code selects on augmented images; the paper says nothing of the kind.
        self.released = settings.protocol == "released"
        self.mark()

    def train_megabatch(
        self,
        t: int,
        masks: Masks,
        train: Tensor,
        valid: Tensor,
        listeners: Iterable[Callable[[Epoch], None]] = (),
        position: Position | None = None,
    ) -> MegabatchTraining:
        """Train on a replay-inclusive set and leave the network with the weights of its best validation accuracy.

        Args:
            t: index of the megabatch, for records and messages.
            masks: bool masks; what they do not keep is exactly zero after every step. Empty: nothing is pruned.
            train, valid: int64 [n] indices into the data.
            listeners: called after each epoch.
            position: kept up to date while this goes on; of a megabatch that was begun, training goes on from there.

        Raises:
            DivergenceError: a loss is NaN or infinite.
            Interrupted: after a step or between batches that are evaluated. The position then says where, and it, the
                network, the optimiser and `random_states` together are what going on needs.
        """
        if not self.optimizer.set_masks(masks) and isinstance(self.step, RecordedStep):
            self.step.forget()
        position = position or Position(t)
        while len(position.epochs) < self.settings.epochs:
            self._add_epoch(position, train, valid)
            for listener in listeners:
                listener(position.epochs[-1])
        if not position.evaluations:
            position.evaluations = self._evaluate_last(position, train, valid)
            self.model.load_state_dict(position.best_state, strict=True)
            position.best_state = {}
            self.mark()
        return MegabatchTraining(position.epochs, position.best_epoch, *position.evaluations)

    def _add_epoch(self, position: Position, train: Tensor, valid: Tensor) -> None:
        """Train for one epoch, or for what is left of it, then validate; the position is after it only at the end."""
        t, epoch = position.t, len(position.epochs) + 1
        position.current = position.current or self.begin_pass(train)
        self.train_epoch(train, epoch, position.current)
        losses = position.current.losses
        _check_steps_finite(losses, t, epoch)
        validation = self._evaluate(valid, self.augment_with if self.released else None)
        check_finite(validation.loss, f"megabatch {t}, validation after epoch {epoch}")
        position.epochs.append(
            Epoch(
                t=t,
                epoch=epoch,
                lr=lr_at(epoch, self.settings),
                samples=len(train),
                train_loss=_mean_loss(losses, len(train), self.settings.batch_size),
                train_acc_running_pct=accuracy_pct(int(position.current.correct), len(train)),
                valid_loss=validation.loss,
                valid_acc_pct=validation.acc_pct,
                seconds=round(position.current.seconds, 4),
            )
        )
        # The first of equally good epochs wins, as in the released code.
        if validation.correct_count > position.best_correct:
            position.best_correct, position.best_epoch = validation.correct_count, epoch
            position.best_state = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        position.validation, position.current = validation, None
        self.mark()

    def _evaluate_last(self, position: Position, train: Tensor, valid: Tensor) -> list[Evaluation]:
        """Of the last epoch's weights: on the training set, on validation as it is, and on validation augmented."""
        train_clean = self._evaluate(train)
        # Of validation one is known already, that which selects.
        known, other = position.validation, self._evaluate(valid, None if self.released else self.augment_with)
        check_finite(train_clean.loss + other.loss, f"megabatch {position.t}, evaluation after the last epoch")
        return [train_clean, other, known] if self.released else [train_clean, known, other]

    def begin_pass(self, train: Tensor) -> Pass:
        """A pass over a training set of int64 [n] of which nothing is done yet."""
        device, n_steps = self.data.images.device, len(batch_bounds(len(train), self.settings.batch_size))
        losses, correct = torch.zeros(n_steps, device=device), torch.zeros((), dtype=torch.int64, device=device)
        return Pass(self.generator.get_state(), losses, correct)

    def train_epoch(self, train: Tensor, epoch: int, now: Pass) -> None:
        """One pass over the shuffled set, or the rest of one that had begun, with the rate of that epoch (from 1).

        Losses and the number classified correctly are gathered on the device and read after the last step: nothing
        waits for the device inside the epoch.
        """
        started = time.perf_counter() - now.seconds
        self.generator.set_state(now.order_state)
        order = train[torch.randperm(len(train), generator=self.generator)]
        self.model.train()
        self.optimizer.set_lr(lr_at(epoch, self.settings))
        batches = enumerate(self.data.plan(order, self.settings.batch_size, self.augment_with))
        # Batches that had been trained on are drawn again and passed over, so that those left are the same.
        for i, batch in islice(batches, now.step, None):
            if epoch <= self.settings.warmup_epochs:
                self.optimizer.set_lr(lr_of_step(i + 1, len(now.losses), epoch, self.settings))
            now.losses[i], n_correct = self.step(*batch)
            now.correct += n_correct
            now.step = i + 1
            if signals.is_due():
                now.seconds = time.perf_counter() - started
                self.mark()
                signals.check()
        now.losses = now.losses.cpu()
        now.seconds = time.perf_counter() - started
        self.mark()

    def mark(self) -> None:
        """Note the random states of now: training can go on from here, whatever is evaluated next."""
        self.random_states = random_states(self.generator, self.data.images.device)

    def _evaluate(self, indices: Tensor, augment_with: Generator | None = None) -> Evaluation:
        return evaluate(self.model, self.data, indices, self.settings.precision, augment_with)


def _mean_loss(losses: Tensor, count: int, batch_size: int) -> float:
    """Mean over samples from means over batches, whose last may be of another size."""
    sizes = torch.tensor([end - start for start, end in batch_bounds(count, batch_size)])
    return float((losses.double() * sizes).sum() / count)


def check_finite(loss: float, where: str) -> None:
    """Stop a run whose loss is not a number any more.

    Raises:
        DivergenceError: the loss is NaN or infinite; the message says where.
    """
    if not math.isfinite(loss):
        raise DivergenceError(f"the loss is {loss} at {where}; no results were written; a lower lr may help")


def _check_steps_finite(losses: Tensor, t: int, epoch: int) -> None:
    broken = (~torch.isfinite(losses)).nonzero()
    if len(broken):
        step = int(broken[0])
        check_finite(float(losses[step]), f"megabatch {t}, epoch {epoch}, step {step + 1} of {len(losses)}")
