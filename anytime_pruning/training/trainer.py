"""Train a network on one megabatch: run epochs of SGD with enforced masks, then restore the best weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice

import torch
from torch import Generator, Tensor, nn

from anytime_pruning.foundation import signals
from anytime_pruning.foundation.metrics import accuracy_pct
from anytime_pruning.machine.randomness import random_states
from anytime_pruning.models.state import copy_state, restore_state
from anytime_pruning.pruning.masks import Masks
from anytime_pruning.results.rows import EpochRow
from anytime_pruning.stream.batching import batch_bounds
from anytime_pruning.stream.images import ImageSet
from anytime_pruning.training.cuda_graph import RecordedStep, Recorder, Step, kept_state, python_state
from anytime_pruning.training.evaluation import Evaluation, evaluate
from anytime_pruning.training.losses import check_finite, check_steps_finite, mean_loss
from anytime_pruning.training.options import TrainingOptions
from anytime_pruning.training.progress import EpochProgress, LastEpochEvaluations, MegabatchProgress, MegabatchTraining
from anytime_pruning.training.sgd import MaskedSGD
from anytime_pruning.training.step import TrainingStep, compile_forward

BeforeStep = Callable[[int, int, Sequence[Tensor]], None]


class Trainer:
    """Trains a network on one megabatch after another.

    One optimiser serves the whole stream, so that momentum is kept from megabatch to megabatch.

    Args:
        model: maps images [B, C, H, W] in [0, 1] to logits [B, n_classes]; on the data's device.
        data: the training set.
        options: how the network is trained.
        generator: draws the order and the augmentation of training images.
        record: records a training step, instead of CUDA, on any device; None records on a GPU and nowhere else.

    Attributes:
        random_states: states of all generators at the last moment from which training can continue; evaluations after
            this moment may draw as well.
        before_step: is called before each step with its number within the megabatch, the number of steps of the
            megabatch and the batch, and may replace the masks of the optimiser; None calls nothing.
    """

    before_step: BeforeStep | None = None

    def __init__(
        self,
        model: nn.Module,
        data: ImageSet,
        options: TrainingOptions,
        generator: Generator,
        record: Recorder | None = None,
    ):
        self.model, self.data, self.options, self.generator = model, data, options, generator
        self.optimizer = MaskedSGD(model, options.momentum, options.weight_decay, options.fuses_updates)
        forward = compile_forward(model, options.batch_size) if options.compile else model
        self.step: Step = TrainingStep(forward, data, self.optimizer, options.precision, options.batch_size)
        if options.records_steps and (data.images.is_cuda or record):
            look, keep = partial(python_state, model), partial(kept_state, model, self.optimizer.velocities)
            self.step = RecordedStep(self.step, options.batch_size, record, look, keep)
        self._augment_with = generator if options.augment else None
        self.mark()

    def train_megabatch(
        self,
        progress: MegabatchProgress,
        masks: Masks,
        train: Tensor,
        valid: Tensor,
        listeners: Iterable[Callable[[EpochRow], None]] = (),
    ) -> MegabatchTraining:
        """Train on a replay-inclusive set, and restore the weights that had the best validation accuracy.

        Without an epoch, the network is only evaluated.

        Args:
            progress: progress on this megabatch. Training continues from this position and keeps `progress` up to date.
            masks: bool masks; weights that they do not keep are exactly zero after every step. An empty mapping prunes
                nothing.
            train: int64 [n], indices of the images to train on.
            valid: int64 [m], indices of the images to validate on.
            listeners: functions that are called with the row of each finished epoch.

        Raises:
            DivergenceError: a loss is NaN or infinite.
            Interrupted: a signal stopped training after a step, or evaluation between two batches. Training can then
                continue from `progress`, the network, the optimiser and `random_states`.
        """
        self.set_masks(masks)
        while len(progress.epochs) < self.options.epochs_at[progress.t - 1]:
            self._add_epoch(progress, train, valid)
            for listener in listeners:
                listener(progress.epochs[-1])
        if progress.evaluations is None:
            progress.evaluations = self._evaluate_last(progress, train, valid)
            if progress.best_state:
                restore_state(self.model, progress.best_state)
            progress.best_state = {}
            self.mark()
        return MegabatchTraining(progress.epochs, progress.best_epoch, progress.evaluations)

    def set_masks(self, masks: Masks) -> None:
        """Set the masks of the following steps; a recorded step that holds masks of other weights is forgotten."""
        if not self.optimizer.set_masks(masks) and isinstance(self.step, RecordedStep):
            self.step.forget()

    def _add_epoch(self, progress: MegabatchProgress, train: Tensor, valid: Tensor) -> None:
        """Train for one epoch, or for the rest of one, then validate. `progress` counts the epoch only at the end."""
        t, epoch = progress.t, len(progress.epochs) + 1
        current = progress.current = progress.current or self.begin_epoch(train)
        self.train_epoch(train, t, epoch, current)
        check_steps_finite(current.losses, t, epoch)
        validation = self._evaluate(valid, is_augmented=self.options.rules.selects_on_augmented)
        check_finite(validation.loss, f"megabatch {t}, validation after epoch {epoch}")
        progress.epochs.append(
            EpochRow(
                t=t,
                epoch=epoch,
                lr=self.options.learning_rate.at_megabatch(t).of_epoch(epoch),
                samples=len(train),
                train_loss=mean_loss(current.losses, self._batch_sizes(train)),
                train_acc_running_pct=accuracy_pct(int(current.correct), len(train)),
                valid_loss=validation.loss,
                valid_acc_pct=validation.acc_pct,
                seconds=round(current.seconds, 4),
            )
        )
        accuracy = validation.averaged_acc_pct if self.options.rules.averages_batches else validation.acc_pct
        # The first of several equally good epochs is selected.
        if accuracy > progress.best_accuracy:
            progress.best_accuracy, progress.best_epoch = accuracy, epoch
            progress.best_state = copy_state(self.model)
            progress.best_masks = self.optimizer.masks() if self.before_step else {}
        progress.validation, progress.current = validation, None
        self.mark()

    def _evaluate_last(self, progress: MegabatchProgress, train: Tensor, valid: Tensor) -> LastEpochEvaluations:
        """Evaluate the last epoch's weights on the training set and, with and without augmentation, on validation.

        One of the two validation results is already known: the one used to select the best epoch.
        """
        train_clean = self._evaluate(train)
        known, is_augmented = progress.validation, self.options.rules.selects_on_augmented
        other = self._evaluate(valid, is_augmented=not is_augmented)
        known = known or self._evaluate(valid, is_augmented=is_augmented)
        check_finite(train_clean.loss + other.loss, f"megabatch {progress.t}, evaluation after the last epoch")
        return LastEpochEvaluations(
            train_clean,
            valid_clean=other if is_augmented else known,
            valid_augmented=known if is_augmented else other,
        )

    def begin_epoch(self, train: Tensor) -> EpochProgress:
        """Begin a pass over the training images with indices int64 [n]."""
        device, n_steps = self.data.images.device, len(self._batch_sizes(train))
        losses, correct = torch.zeros(n_steps, device=device), torch.zeros((), dtype=torch.int64, device=device)
        return EpochProgress(self.generator.get_state(), losses, correct)

    def train_epoch(self, train: Tensor, t: int, epoch: int, progress: EpochProgress) -> None:
        """Train on the shuffled images once, or on the rest of an interrupted pass.

        Losses and the number of correct predictions are gathered on the device and read after the last step, so that
        nothing waits for the device inside the epoch.

        Args:
            train: int64 [n], indices of the images to train on.
            t: index of the megabatch, from 1, which determines the learning rate together with the epoch.
            epoch: number of the epoch, from 1.
            progress: the pass that `begin_epoch` began.
        """
        started = time.perf_counter() - progress.seconds
        self.generator.set_state(progress.order_state)
        order = train[torch.randperm(len(train), generator=self.generator)]
        self.model.train()
        options, rate = self.options, self.options.learning_rate.at_megabatch(t)
        self.optimizer.set_lr(rate.of_epoch(epoch))
        keeps_single = options.rules.keeps_single_sample
        batches = enumerate(self.data.plan(order, options.batch_size, self._augment_with, keeps_single))
        # All batches of the pass are drawn again and the finished ones are skipped, so that the remaining batches are
        # the same as without an interruption.
        for i, batch in islice(batches, progress.step, None):
            if self.before_step:
                n_steps = len(progress.losses)
                self.before_step((epoch - 1) * n_steps + i, options.epochs_at[t - 1] * n_steps, batch)
            if epoch <= rate.warmup_epochs:
                self.optimizer.set_lr(rate.of_step(i + 1, len(progress.losses), epoch))
            progress.losses[i], n_correct = self.step(*batch)
            progress.correct += n_correct
            progress.step = i + 1
            if signals.is_due():
                progress.seconds = time.perf_counter() - started
                self.mark()
                signals.check()
        progress.losses = progress.losses.cpu()
        progress.seconds = time.perf_counter() - started
        self.mark()

    def mark(self) -> None:
        """Store the random states of this moment, from which training can continue whatever is evaluated next."""
        self.random_states = random_states(self.generator, self.data.images.device)

    def _evaluate(self, indices: Tensor, is_augmented: bool = False) -> Evaluation:
        options, augment_with = self.options, self._augment_with if is_augmented else None
        # The mean over batches depends on their size, and the published code validates in batches of the training size.
        batch_size = options.batch_size if options.rules.averages_batches else None
        return evaluate(self.model, self.data, indices, options.precision, augment_with, batch_size)

    def _batch_sizes(self, train: Tensor) -> list[int]:
        bounds = batch_bounds(len(train), self.options.batch_size, self.options.rules.keeps_single_sample)
        return [end - start for start, end in bounds]
