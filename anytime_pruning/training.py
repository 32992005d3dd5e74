"""Train a network on one megabatch: epochs of SGD with the masks enforced after every step, best weights restored."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from anytime_pruning.config import RunSettings
from anytime_pruning.errors import DivergenceError
from anytime_pruning.evaluation import Evaluation, evaluate
from anytime_pruning.images import ImageSet, batch_bounds
from anytime_pruning.masks import Masks
from anytime_pruning.metrics import accuracy_pct
from anytime_pruning.sgd import MaskedSGD
from anytime_pruning.step import RecordedStep, TrainingStep, compile_forward


@dataclass(frozen=True)
class Epoch:
    """What one epoch showed. `train_*` are running means over the epoch: train mode, augmented, weights changing.

    `valid_*` select the best epoch: in eval mode and not augmented, but augmented in the released protocol. `lr` is
    that of the last step. `seconds` are those of the training pass alone.
    """

    t: int
    epoch: int
    lr: float
    samples: int
    train_loss: float
    train_acc_running_pct: float
    valid_loss: float
    valid_acc_pct: float
    seconds: float


@dataclass(frozen=True)
class MegabatchTraining:
    """Training on one megabatch. The evaluations are of the last epoch's weights, before the best are restored."""

    epochs: list[Epoch]
    best_epoch: int
    train_clean: Evaluation
    valid_clean: Evaluation
    valid_augmented: Evaluation


def lr_at(epoch: int, settings: RunSettings) -> float:
    """Learning rate of an epoch (counted from 1) of any megabatch: multiplied by lr_gamma after each milestone.

    In the epochs of warm-up it is what the last step reaches, as the rate rises to that of the milestones.
    """
    decayed = settings.lr * settings.lr_gamma ** sum(epoch > milestone for milestone in settings.lr_milestones)
    return decayed * min(1.0, epoch / settings.warmup_epochs) if settings.warmup_epochs else decayed


def lr_of_step(step: int, n_steps: int, epoch: int, settings: RunSettings) -> float:
    """Learning rate of a step (counted from 1) of an epoch: that of the epoch, but rising linearly in warm-up."""
    if epoch > settings.warmup_epochs:
        return lr_at(epoch, settings)
    return lr_at(epoch, settings) * (epoch - 1 + step / n_steps) / epoch


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

    def train_megabatch(
        self, t: int, masks: Masks, train: Tensor, valid: Tensor, listeners: Iterable[Callable[[Epoch], None]] = ()
    ) -> MegabatchTraining:
        """Train on a replay-inclusive set and leave the network with the weights of its best validation accuracy.

        Args:
            t: index of the megabatch, for records and messages.
            masks: bool masks; what they do not keep is exactly zero after every step. Empty: nothing is pruned.
            train, valid: int64 [n] indices into the data.
            listeners: called after each epoch.
        Raises:
            DivergenceError: a loss is NaN or infinite.
        """
        if not self.optimizer.set_masks(masks) and isinstance(self.step, RecordedStep):
            self.step.forget()
        # The released code selects on augmented images; the paper says nothing of the kind.
        released = self.settings.protocol == "released"
        select_with = self.augment_with if released else None
        epochs, best_correct, best_epoch, best_state = [], -1, 0, {}
        for epoch in range(1, self.settings.epochs + 1):
            started = time.perf_counter()
            losses, correct_count = self.train_epoch(train, epoch)
            seconds = time.perf_counter() - started
            _check_steps_finite(losses, t, epoch)
            validation = self._evaluate(valid, select_with)
            check_finite(validation.loss, f"megabatch {t}, validation after epoch {epoch}")
            epochs.append(
                Epoch(
                    t=t,
                    epoch=epoch,
                    lr=lr_at(epoch, self.settings),
                    samples=len(train),
                    train_loss=_mean_loss(losses, len(train), self.settings.batch_size),
                    train_acc_running_pct=accuracy_pct(correct_count, len(train)),
                    valid_loss=validation.loss,
                    valid_acc_pct=validation.acc_pct,
                    seconds=round(seconds, 4),
                )
            )
            # The first of equally good epochs wins, as in the released code.
            if validation.correct_count > best_correct:
                best_correct, best_epoch = validation.correct_count, epoch
                best_state = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
            for listener in listeners:
                listener(epochs[-1])
        train_clean = self._evaluate(train)
        # Of validation one is known already, that which selects.
        other = self._evaluate(valid, None if released else self.augment_with)
        valid_clean, valid_augmented = (other, validation) if released else (validation, other)
        check_finite(train_clean.loss + other.loss, f"megabatch {t}, evaluation after the last epoch")
        self.model.load_state_dict(best_state, strict=True)
        return MegabatchTraining(epochs, best_epoch, train_clean, valid_clean, valid_augmented)

    def train_epoch(self, train: Tensor, epoch: int) -> tuple[Tensor, int]:
        """One pass over the shuffled set, with the rate of that epoch (counted from 1).

        Returns the loss of every step [n_steps] and the number classified correctly.
        Both are gathered on the device and read after the last step: nothing waits for the device inside the epoch.
        """
        device, batch_size = self.data.images.device, self.settings.batch_size
        order = train[torch.randperm(len(train), generator=self.generator)]
        losses = torch.zeros(len(batch_bounds(len(train), batch_size)), device=device)
        correct = torch.zeros((), dtype=torch.int64, device=device)
        self.model.train()
        self.optimizer.set_lr(lr_at(epoch, self.settings))
        for i, batch in enumerate(self.data.plan(order, batch_size, self.augment_with)):
            if epoch <= self.settings.warmup_epochs:
                self.optimizer.set_lr(lr_of_step(i + 1, len(losses), epoch, self.settings))
            losses[i], n_correct = self.step(*batch)
            correct += n_correct
        return losses.cpu(), int(correct)

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
