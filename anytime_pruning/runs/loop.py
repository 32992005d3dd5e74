"""The stream loop of the paper, for all methods.

What a job does around it is `job.py`; how one megabatch is trained on, `training.py`.
"""

from functools import partial
from pathlib import Path

import torch
from torch import nn

from anytime_pruning.datasets import ImageArrays
from anytime_pruning.foundation import signals
from anytime_pruning.machine.randomness import make_generator
from anytime_pruning.models import build_model
from anytime_pruning.pruning.enforcement import apply_masks
from anytime_pruning.pruning.macs import count_macs
from anytime_pruning.pruning.masks import count_kept
from anytime_pruning.pruning.prune import prune
from anytime_pruning.results.records import Records
from anytime_pruning.runs.console import Progress
from anytime_pruning.runs.initial_state import load_initial_masks
from anytime_pruning.runs.invariants import check_masks, check_weights
from anytime_pruning.runs.state import Keeper, RunState
from anytime_pruning.runs.stream_plan import plan_stream
from anytime_pruning.runs.trackers import Tracking
from anytime_pruning.settings.cost import plan_cost
from anytime_pruning.settings.run import RunSettings
from anytime_pruning.stream.images import ImageSet
from anytime_pruning.training.evaluation import evaluate
from anytime_pruning.training.progress import Position
from anytime_pruning.training.trainer import Trainer, check_finite


def run_megabatches(
    settings: RunSettings, arrays: ImageArrays, model: nn.Module, device: torch.device, out_dir: Path, keeper: Keeper
) -> Records:
    """For t = 1 ... T prune to the scheduled density, train on all data so far, test.

    Args:
        settings: with the precision to compute in; not `auto`.
        model: maps images in [0, 1] to logits, on the device; is pruned and trained in place.
        out_dir: folder of the run, where a tracker may write.
        keeper: knows whether a part of the run is done already, and keeps what is done from now on.

    Raises:
        DivergenceError: a loss or score is not finite.
        InvariantError: what must hold at every moment of a run does not.
    """
    data = ImageSet.from_arrays(arrays.train_images, arrays.train_labels, device, arrays.crop_padding, arrays.flip)
    test = ImageSet.from_arrays(arrays.test_images, arrays.test_labels, device)
    replayed, samples, counts = plan_stream(settings, len(data))
    cost = plan_cost(settings, counts, len(test))
    name = f"{settings.dataset.name} {settings.model} {settings.method}"
    records = Records(planned=cost, macs=count_macs(model, arrays.image_shape))
    build_afresh = partial(build_model, settings.model, arrays.n_classes, arrays.image_shape, arrays.mean, arrays.std)
    masks = load_initial_masks(model, settings)
    apply_masks(model, masks)
    trainer = Trainer(model, data, settings, make_generator(settings.seed, "training"))
    state = RunState(trainer, records, masks, Position())
    has_begun = keeper.restore(state)
    with (
        Progress(name, cost, settings.n_megabatches) as progress,
        Tracking(settings, out_dir, state.samples) as tracking,
        keeper,
    ):
        if has_begun:
            progress.go_on(state)
        listeners = (progress.epoch_done, tracking.epoch_done, keeper.epoch_done)
        for t in range(state.position.t, settings.n_megabatches + 1):
            # 1. The replay-inclusive set, what the policy keeps of M_1 ... M_t; and 2. a sample of it, pi_t.
            (train, valid), sample, density = replayed[t - 1], samples[t - 1], settings.densities()[t - 1]
            # 3. Prune the current network by scores on that sample; what is pruned stays pruned.
            if not state.position.is_pruned:
                masks = prune(model, state.masks, density, data, sample, settings, t, build_afresh)
                check_masks(state.masks, masks, model, density, settings, t)
                state.masks = masks
                state.position.pruned()
            # 4. Train what is left, then test.
            training = trainer.train_megabatch(t, state.masks, train, valid, listeners, state.position)
            check_weights(model, state.masks, settings, t)
            tested = evaluate(model, test, torch.arange(len(test)), settings.precision)
            check_finite(tested.loss, f"megabatch {t}, test")
            row = records.add(count_kept(model), density, len(valid), training, tested, state.position)
            progress.megabatch_done(row)
            tracking.megabatch_done(row)
            state.position = Position(t + 1)
            keeper.keep()
            signals.check()
    return records
