"""Run the stream loop of the paper, for all methods: prune, train and test at each megabatch.

`job.py` holds everything that a job does around the loop, and the room `training` trains on one megabatch.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from anytime_pruning.datasets import ImageArrays
from anytime_pruning.foundation import signals
from anytime_pruning.machine.randomness import make_generator
from anytime_pruning.pruning.enforcement import apply_masks
from anytime_pruning.pruning.macs import count_macs
from anytime_pruning.pruning.masks import count_kept
from anytime_pruning.pruning.prunable import count_prunable
from anytime_pruning.results.records import Records
from anytime_pruning.runs.checkpointing.checkpointer import Checkpointer, CheckpointOptions
from anytime_pruning.runs.checkpointing.state import RunState
from anytime_pruning.runs.console import Console
from anytime_pruning.runs.initial_state import load_initial_masks
from anytime_pruning.runs.invariants import check_weights
from anytime_pruning.runs.megabatch.preparation import Preparation
from anytime_pruning.runs.megabatch.recording import record_megabatch
from anytime_pruning.runs.megabatch.regrowing import make_regrowing
from anytime_pruning.runs.parts import training_options
from anytime_pruning.runs.stream_plan import check_single_samples, plan_stream
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
    data, test = _image_sets(arrays, device)
    plan = plan_stream(settings, len(data))
    check_single_samples(settings, plan, model, data.images)
    cost = plan_cost(settings, [megabatch.counts for megabatch in plan], len(test))
    trainer = Trainer(model, data, training_options(settings), make_generator(settings.seed, "training"))
    zeros_at_start = sum(total - kept for kept, total in count_kept(model).values())
    masks = load_initial_masks(model, settings.initial_mask, settings.model)
    apply_masks(model, masks)
    state = RunState(trainer, Records(cost, count_macs(model, arrays.image_shape)), masks, MegabatchProgress())
    checkpointer = Checkpointer(checkpoints, state)
    preparation = Preparation(settings, arrays, state)
    trainer.before_step = make_regrowing(settings, state)
    name = f"{settings.dataset.name} {settings.model} {settings.method}"
    with (
        Console(name, cost, settings.n_megabatches, _prunable_share(model)) as console,
        Tracking(settings, out_dir, state.samples) as tracking,
        checkpointer,
    ):
        if checkpointer.has_begun:
            console.go_on(state)
        # The checkpoint comes last, so that it holds what the others have noted.
        listeners = (preparation.epoch_done, console.epoch_done, tracking.epoch_done, checkpointer.epoch_done)
        for megabatch in plan[state.progress.t - 1 :]:
            if not state.progress.is_pruned:
                preparation.prepare(megabatch)
            training = trainer.train_megabatch(state.progress, state.masks, megabatch.train, megabatch.valid, listeners)
            state.masks = state.progress.best_masks or state.masks
            check_weights(model, state.masks, megabatch.t, zeros_at_start)
            tested = evaluate(model, test, torch.arange(len(test)), settings.precision)
            check_finite(tested.loss, f"megabatch {megabatch.t}, test")
            row = record_megabatch(state.records, count_kept(model), megabatch, training, tested, state.progress)
            console.megabatch_done(row)
            tracking.megabatch_done(row)
            state.progress = MegabatchProgress(megabatch.t + 1)
            checkpointer.write()
            signals.check()
    return FinishedStream(state.records, zeros_at_start, checkpointer.resumed, checkpointer.seconds)


def _image_sets(arrays: ImageArrays, device: torch.device) -> tuple[ImageSet, ImageSet]:
    """Return the training and the test set on a device."""
    train = ImageSet.from_arrays(arrays.train_images, arrays.train_labels, device, arrays.crop_padding, arrays.flip)
    return train, ImageSet.from_arrays(arrays.test_images, arrays.test_labels, device)


def _prunable_share(model: nn.Module) -> float:
    return count_prunable(model) / sum(parameter.numel() for parameter in model.parameters())
