"""Run the stream loop of the paper, for all methods: prune, train and test at each megabatch.

`job.py` holds everything that a job does around the loop, and the room `training` trains on one megabatch.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from anytime_pruning.datasets import ImageArrays
from anytime_pruning.foundation import signals
from anytime_pruning.foundation.console import warn
from anytime_pruning.foundation.errors import name_some
from anytime_pruning.foundation.registry import lookup
from anytime_pruning.machine.randomness import make_generator
from anytime_pruning.models import build_model
from anytime_pruning.pruning.enforcement import apply_masks
from anytime_pruning.pruning.macs import count_macs
from anytime_pruning.pruning.mask_chooser import MaskChooser
from anytime_pruning.pruning.masks import Masks, count_kept
from anytime_pruning.pruning.protocols import make_protocol
from anytime_pruning.pruning.prunable import count_prunable
from anytime_pruning.results.records import Records
from anytime_pruning.runs.checkpointing.checkpointer import Checkpointer, CheckpointOptions
from anytime_pruning.runs.checkpointing.state import RunState
from anytime_pruning.runs.console import Console
from anytime_pruning.runs.initial_state import load_initial_masks
from anytime_pruning.runs.invariants import check_masks, check_weights
from anytime_pruning.runs.parts import scoring_options, training_options
from anytime_pruning.runs.recording import record_megabatch
from anytime_pruning.runs.starts import StartContext
from anytime_pruning.runs.stream_plan import PlannedMegabatch, check_single_samples, plan_stream
from anytime_pruning.runs.trackers import Tracking
from anytime_pruning.settings.cost import plan_cost
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.stream.images import ImageSet
from anytime_pruning.training.evaluation import evaluate
from anytime_pruning.training.losses import check_finite
from anytime_pruning.training.progress import MegabatchProgress
from anytime_pruning.training.trainer import Trainer


@dataclass(frozen=True)
class FinishedStream:
    """Holds the results of a whole stream.

    Attributes:
        records: rows of all megabatches.
        zeros_at_start: number of prunable weights that were zero when the run began.
        resumed: earlier parts of the run, each with its code, versions and hardware.
        seconds: seconds that the run took, including its earlier parts.
    """

    records: Records
    zeros_at_start: int
    resumed: list[dict[str, Any]]
    seconds: float


def run_megabatches(
    settings: RunSettings,
    arrays: ImageArrays,
    model: nn.Module,
    device: torch.device,
    out_dir: Path,
    checkpoints: CheckpointOptions,
) -> FinishedStream:
    """Prune to the scheduled density, train on the replay-inclusive set, and test, for t = 1 ... T.

    Args:
        settings: settings of the run, with `precision` float32 or bfloat16 and not `auto`.
        arrays: the dataset.
        model: maps images [B, C, H, W] in [0, 1] to logits [B, n_classes]; on the device. The model is pruned and
            trained in place.
        device: the device that computes.
        out_dir: folder of the run, where a tracker may write.
        checkpoints: where and how often checkpoints are written; a run that has a checkpoint continues from it.

    Raises:
        DivergenceError: a loss or score is not finite.
        InvariantError: the run violates an invariant of all runs.
    """
    data = ImageSet.from_arrays(arrays.train_images, arrays.train_labels, device, arrays.crop_padding, arrays.flip)
    test = ImageSet.from_arrays(arrays.test_images, arrays.test_labels, device)
    plan = plan_stream(settings, len(data))
    check_single_samples(settings, plan, model, data.images)
    cost = plan_cost(settings.epochs, settings.prunes_at(), [megabatch.counts for megabatch in plan], len(test))
    trainer = Trainer(model, data, training_options(settings), make_generator(settings.seed, "training"))
    zeros_at_start = sum(total - kept for kept, total in count_kept(model).values())
    masks = load_initial_masks(model, settings.initial_mask, settings.model)
    apply_masks(model, masks)
    records = Records(planned=cost, macs=count_macs(model, arrays.image_shape))
    state = RunState(trainer, records, masks, MegabatchProgress())
    preparation = _Preparation(settings, arrays, state)
    checkpointer = Checkpointer(checkpoints, state)
    name = f"{settings.dataset.name} {settings.model} {settings.method}"
    with (
        Console(name, cost, settings.n_megabatches, _prunable_share(model)) as console,
        Tracking(settings, out_dir, state.samples) as tracking,
        checkpointer,
    ):
        if checkpointer.has_begun:
            console.go_on(state)
        listeners = (console.epoch_done, tracking.epoch_done, checkpointer.epoch_done)
        for megabatch in plan[state.progress.t - 1 :]:
            if not state.progress.is_pruned:
                preparation.start(megabatch)
                preparation.prune(megabatch)
            training = trainer.train_megabatch(state.progress, state.masks, megabatch.train, megabatch.valid, listeners)
            check_weights(model, state.masks, megabatch.t, zeros_at_start)
            tested = evaluate(model, test, torch.arange(len(test)), settings.precision)
            check_finite(tested.loss, f"megabatch {megabatch.t}, test")
            row = record_megabatch(records, count_kept(model), megabatch, training, tested, state.progress)
            console.megabatch_done(row)
            tracking.megabatch_done(row)
            state.progress = MegabatchProgress(megabatch.t + 1)
            checkpointer.write()
            signals.check()
    return FinishedStream(records, zeros_at_start, checkpointer.resumed, checkpointer.seconds)


def _prunable_share(model: nn.Module) -> float:
    return count_prunable(model) / sum(parameter.numel() for parameter in model.parameters())


class _Preparation:
    """Prepares the network for a megabatch: the setting `start` comes first, then pruning by the protocol."""

    def __init__(self, settings: RunSettings, arrays: ImageArrays, state: RunState):
        self._settings, self._state = settings, state
        self._prunes_at = settings.prunes_at()
        self._protocol = make_protocol(settings.protocol)
        self._start = lookup("start", settings.start)
        self._build_afresh = partial(
            build_model, settings.model, arrays.n_classes, arrays.image_shape, arrays.mean, arrays.std
        )
        trainer = state.trainer
        self._chooser = MaskChooser(trainer.model, trainer.data, scoring_options(settings))

    def start(self, megabatch: PlannedMegabatch) -> None:
        """Start the megabatch by the registered start that the settings name, such as `warm`."""
        state, generator = self._state, make_generator(self._settings.seed, f"start {megabatch.t}")
        self._start(StartContext(megabatch.t, state.trainer, state.masks, self._build_afresh, generator))

    def prune(self, megabatch: PlannedMegabatch) -> None:
        """Prune the network to the megabatch's density; pruned weights stay pruned."""
        state, t, model = self._state, megabatch.t, self._chooser.model
        step = self._settings.pruning_step(t)
        masks = state.masks
        if self._prunes_at[t - 1]:
            masks = self._protocol.choose_masks(self._chooser, masks, step, megabatch.sample)
            apply_masks(model, masks)
        check_masks(state.masks, masks, model, partial(self._protocol.expected_kept, step), t)
        self._name_emptied(state.masks, masks, t)
        state.masks = masks
        state.progress.mark_pruned(len(self._chooser.zero_score_layers) if self._prunes_at[t - 1] else 0)

    def _name_emptied(self, before: Masks, masks: Masks, t: int) -> None:
        """Warn of layers that have lost their last weight, because nothing passes through such a layer any more."""
        emptied = [name for name, mask in masks.items() if not mask.any() and (not before or before[name].any())]
        if emptied:
            warn(f"megabatch {t}: pruning has removed every weight of {name_some(emptied)}")
